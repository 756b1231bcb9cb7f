"""The verb `sample`: completions and infillings of a template, and a page that shows them."""

import time

import numpy as np
from onepaper.display.gallery import save_samples, write_gallery
from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation

from sed.cli.options import SampleOptions
from sed.data.template import encode_template
from sed.evaluation.statistics import most_common_share
from sed.models.denoiser import EmbeddingDiffusion
from sed.pretrained.networks import open_network
from sed.sampling import Sampler

# Text has no token that is so frequent.
MOST_OF_ONE_TOKEN = 0.5


def sample_verb(call: Invocation) -> None:
    """The verb `sample`: files and a page in the run folder, and the texts on the terminal."""
    options: SampleOptions = call.options
    if options.dry_run:
        print(f"would draw {options.count} samples of {options.template!r} from {options.weights}")
        return
    use_device(options)
    network = open_network(options.weights, EmbeddingDiffusion)
    # The template and the options are validated before the run folder is created.
    encode_template(options.template, network.codec, network.model.config.length)
    sampler = Sampler(network.model, options.sampling)
    with call.open_run() as run:
        begun = time.perf_counter()
        texts = sampler.fill(options.template, network.codec, options.count, seed=options.seed)
        seconds = time.perf_counter() - begun
        save_samples(run.folder, {f"sample-{number}.txt": text.encode() for number, text in enumerate(texts)})
        page = write_gallery(run.folder, f"{options.template} from {options.weights}, seed {options.seed}")
    for text in texts:
        print(text)
    tokens = np.concatenate([network.codec.tokenizer.encode(text) for text in texts])
    if (share := most_common_share(tokens)) > MOST_OF_ONE_TOKEN:
        print(f"one token makes up {share:.0%} of the samples: train longer, or take a network of more steps")
    print(f"{options.count} samples in {seconds:.1f} s; {page}")
