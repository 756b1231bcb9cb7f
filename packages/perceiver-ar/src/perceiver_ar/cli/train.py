"""The verb `train`."""

from onepaper.paper import Invocation

from perceiver_ar.cli.options import SampleOptions, TrainOptions
from perceiver_ar.config import ExperimentConfig
from perceiver_ar.generation.samples import SampleLogger
from perceiver_ar.parallel import MeshAccelerator
from perceiver_ar.pretrained.checkpoints import Network, save_network
from perceiver_ar.training import load_checked_corpus, train

# How sequences are sampled during training.
SAMPLES = SampleOptions()


def train_verb(call: Invocation) -> None:
    """The verb `train`: a run folder with logs, checkpoints and `pretrained/`."""
    config: ExperimentConfig = call.config
    options: TrainOptions = call.options
    if options.dry_run:
        print(f"would train {call.preset}: {config.loop.steps} steps of batch {config.batch_size}")
        return
    with MeshAccelerator(options, tensor=options.tensor, context=options.context) as accelerator:
        corpus = load_checked_corpus(config)  # inputs are validated before the run folder is created
        with call.open_run(main_process=accelerator.is_main) as run:
            draw = None
            if corpus is not None and config.samples and accelerator.world == 1:
                draw = SampleLogger(corpus.codec, config.samples, SAMPLES.sampling, SAMPLES.tokens)
            model = train(config, run, seed=options.seed, accelerator=accelerator, corpus=corpus, draw=draw)
            if accelerator.is_main:
                codec = None if corpus is None else corpus.codec
                folder = save_network(run.folder / "pretrained", Network(model, config.data, codec))
                print(f"weights: {folder}")
                print(f"next: onepaper {call.paper.name} sample --weights {folder}")
