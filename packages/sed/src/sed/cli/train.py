"""The verb `train`."""

from collections.abc import Mapping

from onepaper.jax.accelerator import Accelerator
from onepaper.paper import Invocation, TrainOptions
from onepaper.runs import check_writable

from sed.config import ExperimentConfig, MaskedExperiment, SamplingOptions
from sed.data.corpus import TextCodec
from sed.models.denoiser import EmbeddingDiffusion
from sed.pretrained.networks import save_network
from sed.sampling import Sampler
from sed.training import embedding_table, load_checked_corpus, train, train_autoregressive, train_masked

# Samples during training: nothing is given.
SAMPLES, SAMPLING_STEPS = 4, 50


def train_verb(call: Invocation) -> None:
    """The verb `train`: a run folder with logs, checkpoints and `pretrained/`."""
    config, options = call.config, call.options
    assert isinstance(options, TrainOptions)
    if options.dry_run:
        print(f"would train {call.preset}: {config.loop.steps} steps of batch {config.batch_size}")
        return
    if options.export is not None:
        check_writable(options.export, "--export")
    with Accelerator(options) as accelerator:
        # Inputs are validated before the run folder is created.
        codec = embedding_table(config)[0] if isinstance(config, ExperimentConfig) else None
        corpus = load_checked_corpus(config, codec)

        def draw(model: EmbeddingDiffusion) -> Mapping[str, bytes]:
            return draw_samples(model, corpus.codec)

        with call.open_run(main_process=accelerator.is_main) as run:
            if isinstance(config, ExperimentConfig):
                single = accelerator.world == 1
                network = train(config, run, seed=options.seed, accelerator=accelerator, draw=draw if single else None)
            elif isinstance(config, MaskedExperiment):
                network = train_masked(config, run, seed=options.seed, accelerator=accelerator)
            else:
                network = train_autoregressive(config, run, seed=options.seed, accelerator=accelerator)
            if accelerator.is_main:
                print(f"weights: {save_network(run.folder / 'pretrained', network)}")
                if options.export is not None:
                    print(f"weights: {save_network(options.export, network, half=True)}")
                if isinstance(config, ExperimentConfig):
                    print(f"next: onepaper {call.paper.name} sample --weights {run.folder}")


def draw_samples(model: EmbeddingDiffusion, codec: TextCodec) -> Mapping[str, bytes]:
    """Texts without a prompt, as files."""
    steps = min(SAMPLING_STEPS, model.config.schedule.steps)
    texts = Sampler(model, SamplingOptions(steps=steps)).fill("[[*]]", codec, SAMPLES)
    return {f"sample-{number}.txt": text.encode() for number, text in enumerate(texts)}
