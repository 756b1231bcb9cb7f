"""The verb `evaluate`: the likelihood of held-out images, and distances of samples, beside the limit of the codec."""

import numpy as np
from onepaper.paper import Invocation
from onepaper.torch.accelerator import choose_device

from dct_transformer.cli.options import EvaluateOptions
from dct_transformer.data.examples import centre_examples
from dct_transformer.data.images import open_images, resize
from dct_transformer.evaluation.distances import compare
from dct_transformer.evaluation.exact_likelihood import likelihood
from dct_transformer.models.counts import CountModel
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
    images = open_images(options.data, config.height, config.width)
    held_out = images.part(held_out=True)
    examples = centre_examples(held_out, config)[: options.count or None]
    training = centre_examples(images.part(held_out=False), config)
    size = (config.height, config.width)
    originals = np.stack([resize(held_out[index], size) for index in range(len(examples))])
    coded = np.stack([decode(encode(image, config.codec), *size, config.codec) for image in originals])
    ceiling = float(np.mean([psnr(image, original) for image, original in zip(coded, originals, strict=True)]))
    with call.open_run() as run:
        found = likelihood(model, examples)
        bits: dict[str, dict[str, float]] = {options.weights: found.summary(config)}
        for name, order in (("unigram", 1), ("bigram", 2)):
            counts = CountModel(config, order).fit([example.triples for example in training])
            bits[name] = counts.likelihood([example.triples for example in examples]).summary(config)
        distances: dict[str, dict[str, float]] = {}
        if options.distances and config.condition == "none":
            sets = {
                options.weights: np.stack(draw_images(model, len(originals), seed=options.seed)),
                "coded originals": coded,
            }
            distances = {name: compare(pictures, originals)._asdict() for name, pictures in sets.items()}
        results = {"bits": bits, "distances": distances, "psnr_of_coded_originals": ceiling}
        run.write_json("evaluation.json", results)
    _print_table(bits)
    print(f"PSNR of the coded originals, the limit of any such model: {ceiling:.2f} dB")
    if distances:
        print(f"{len(originals)} samples without a condition, and the limit, against the held-out originals:")
        _print_table(distances)
    print(f"written: {run.folder / 'evaluation.json'}")


def _print_table(columns: dict[str, dict[str, float]]) -> None:
    """Names above, one row for each quantity."""
    print(f"{'':<20}" + "".join(f"{name:>18}" for name in columns))
    for name in next(iter(columns.values())):
        print(f"{name.replace('_', ' '):<20}" + "".join(f"{own[name]:>18.3f}" for own in columns.values()))
