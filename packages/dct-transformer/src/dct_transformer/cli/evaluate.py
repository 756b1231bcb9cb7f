"""The verb `evaluate`: the likelihood of held-out images, and distances of samples, beside the limit of the codec."""

import numpy as np
from onepaper.data import file_sha256
from onepaper.paper import Invocation
from onepaper.torch.accelerator import choose_device

from dct_transformer.cli.options import EvaluateOptions
from dct_transformer.data.examples import centre_examples
from dct_transformer.data.images import Images, resize
from dct_transformer.data.stored_images import open_pictures
from dct_transformer.evaluation.distances import HAAR, compare
from dct_transformer.evaluation.exact_likelihood import likelihood
from dct_transformer.evaluation.inception_features import inception_source, is_published
from dct_transformer.models.counts import CountModel
from dct_transformer.models.dct_transformer import DCTransformer
from dct_transformer.models.inception import POOLED
from dct_transformer.pretrained.networks import open_network
from dct_transformer.representation.codec import decode, encode
from dct_transformer.representation.dct_image import psnr
from dct_transformer.sampling import draw_images


def evaluate_verb(call: Invocation) -> None:
    """Print the results and write `evaluation.json`."""
    options: EvaluateOptions = call.options
    if options.dry_run:
        print(f"would evaluate {options.weights} on held-out images")
        return
    model = open_network(options.weights)
    model.to(choose_device(options.device))
    config = model.config
    images = open_pictures(options.data, config)
    parts = {name: images.part(held_out=name == "held-out") for name in ("held-out", "training")}
    held_out, training = (centre_examples(part, config) for part in parts.values())
    held_out = held_out[: options.count or None]
    source = HAAR if options.inception is None else inception_source(options.inception, choose_device(options.device))
    with call.open_run() as run:
        found = likelihood(model, held_out)
        bits: dict[str, dict[str, float]] = {options.weights: found.summary(config)}
        for name, order in (("unigram", 1), ("bigram", 2)):
            counts = CountModel(config, order).fit([example.triples for example in training])
            bits[name] = counts.likelihood([example.triples for example in held_out]).summary(config)
        results: dict[str, object] = {"bits": bits}
        originals = _originals(parts[options.references], config.height, config.width, options.count)
        # Pictures of stored coefficients are coded ones, which have no other originals.
        coded = originals if options.data.stored else _coded(model, originals)
        ceiling = float(np.mean([psnr(image, original) for image, original in zip(coded, originals, strict=True)]))
        results["psnr_of_coded_originals"] = ceiling if np.isfinite(ceiling) else None
        distances: dict[str, dict[str, float]] = {}
        if options.distances and config.condition == "none":
            sets = {options.weights: np.stack(draw_images(model, len(originals), seed=options.seed)),
                    "coded originals": coded}  # fmt: skip
            real = source.extract(originals)
            distances = {name: compare(source.extract(own), real, source) for name, own in sets.items()}
            results |= {"distances": distances, "references": options.references, "samples": len(originals)}
        if options.inception is not None:
            results["inception_sha256"] = file_sha256(options.inception)
        run.write_json("evaluation.json", results)
    _print_table(bits)
    print(f"PSNR of the coded originals, the limit of any such model: {ceiling:.2f} dB")
    if distances:
        print(
            f"{len(originals)} samples without a condition, and the limit, against the {options.references} originals:"
        )
        _print_table(distances)
    if options.inception is not None:
        if len(originals) <= POOLED:
            print(f"note: with {POOLED:,} pictures or fewer FID is far too large; published ones are of 50,000")
        if options.inception.suffix == ".pth" and not is_published(options.inception):
            print(f"note: {options.inception} is not the published file, so that these are no published distances")
    print(f"written: {run.folder / 'evaluation.json'}")


def _originals(images: Images, height: int, width: int, count: int) -> np.ndarray:
    chosen = range(min(count or len(images), len(images)))
    return np.stack([resize(images[index], (height, width)) for index in chosen])


def _coded(model: DCTransformer, originals: np.ndarray) -> np.ndarray:
    codec, (height, width) = model.config.codec, originals.shape[1:3]
    return np.stack([decode(encode(image, codec), height, width, codec) for image in originals])


def _print_table(columns: dict[str, dict[str, float]]) -> None:
    """Names above, one row for each quantity."""
    print(f"{'':<20}" + "".join(f"{name:>18}" for name in columns))
    for name in next(iter(columns.values())):
        print(f"{name.replace('_', ' '):<20}" + "".join(f"{own[name]:>18.3f}" for own in columns.values()))
