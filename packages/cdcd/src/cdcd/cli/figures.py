"""The verb `figures`: a page with the loss, the embeddings and a sample of a network."""

from onepaper.display.gallery import save_samples, write_gallery
from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation

from cdcd.cli.options import FiguresOptions
from cdcd.data.corpus import load
from cdcd.evaluation.figures import figures_of
from cdcd.models.denoiser import CategoricalDiffusion
from cdcd.pretrained.networks import open_network


def figures_verb(call: Invocation) -> None:
    """The verb `figures`: files and a page in the run folder."""
    options: FiguresOptions = call.options
    if options.dry_run:
        print(f"would draw figures of {options.weights}")
        return
    use_device(options)
    network = open_network(options.weights, CategoricalDiffusion)
    corpus = load(network.data, network.model.config.vocab_size)
    with call.open_run() as run:
        save_samples(run.folder, figures_of(network.model, corpus, options.sampling, seed=options.seed))
        print(f"figures: {write_gallery(run.folder, f'Figures of {options.weights}')}")
