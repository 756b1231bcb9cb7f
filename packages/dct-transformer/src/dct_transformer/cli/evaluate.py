"""The verb `evaluate`: the likelihood of held-out images, beside count models and the limit of the codec."""

import numpy as np
from onepaper.paper import Invocation
from onepaper.torch.accelerator import choose_device

from dct_transformer.cli.options import EvaluateOptions
from dct_transformer.data.examples import centre_examples
from dct_transformer.data.images import open_images, resize
from dct_transformer.evaluation import likelihood
from dct_transformer.models.counts import CountModel
from dct_transformer.pretrained.networks import open_network
from dct_transformer.representation.codec import decode, encode
from dct_transformer.representation.dct_image import psnr


def evaluate_verb(call: Invocation) -> None:
    """Print the results and write `evaluation.json`."""
    options: EvaluateOptions = call.options
    if options.dry_run:
        print(f"would measure the likelihood of held-out images under {options.weights}")
        return
    model = open_network(options.weights)
    model.to(choose_device(options.device))
    config = model.config
    images = open_images(options.data, config.height, config.width)
    held_out = images.part(held_out=True)
    examples = centre_examples(held_out, config)[: options.count or None]
    training = centre_examples(images.part(held_out=False), config)
    with call.open_run() as run:
        found = likelihood(model, examples)
        results: dict[str, dict[str, float]] = {options.weights: found.summary(config)}
        for name, order in (("unigram", 1), ("bigram", 2)):
            counts = CountModel(config, order).fit([example.triples for example in training])
            results[name] = counts.likelihood([example.triples for example in examples]).summary(config)
        run.write_json("evaluation.json", results)
    originals = [resize(held_out[index], (config.height, config.width)) for index in range(len(examples))]
    coded = [decode(encode(image, config.codec), config.height, config.width, config.codec) for image in originals]
    ceiling = np.mean([psnr(image, original) for image, original in zip(coded, originals, strict=True)])
    names = list(next(iter(results.values())))
    print(f"{'':<20}" + "".join(f"{name:>16}" for name in results))
    for name in names:
        print(f"{name.replace('_', ' '):<20}" + "".join(f"{row[name]:>16.3f}" for row in results.values()))
    print(f"PSNR of the coded originals, the limit of any such model: {ceiling:.2f} dB")
    print(f"written: {run.folder / 'evaluation.json'}")
