"""The verb `train`."""

from collections.abc import Mapping

from onepaper.jax.accelerator import Accelerator
from onepaper.paper import Invocation, TrainOptions
from onepaper.runs import check_writable

from cdcd.config import (
    CausalTranslationExperiment,
    ExperimentConfig,
    SamplingOptions,
    TranslationExperiment,
)
from cdcd.data.corpus import TextCodec
from cdcd.models.denoiser import CategoricalDiffusion
from cdcd.pretrained.networks import save_network
from cdcd.pretrained.translators import save_translator
from cdcd.sampling import Sampler
from cdcd.training import load_checked_corpus, train, train_autoregressive
from cdcd.translation.training import load_checked_pairs, train_causal_translation, train_translation

# Samples during training: nothing is given.
SAMPLES, SAMPLING = 4, SamplingOptions(steps=50)


def train_verb(call: Invocation) -> None:
    """The verb `train`: a run folder with logs, checkpoints and `pretrained/`."""
    config, options = call.config, call.options
    assert isinstance(options, TrainOptions)
    if options.dry_run:
        print(f"would train {call.preset}: {config.loop.steps} steps of batch {config.batch_size}")
        return
    if options.export is not None:
        check_writable(options.export, "--export")
    if isinstance(config, TranslationExperiment | CausalTranslationExperiment):
        _train_translation(call, config, options)
        return
    with Accelerator(options) as accelerator:
        corpus = load_checked_corpus(config)  # inputs are validated before the run folder is created

        def draw(model: CategoricalDiffusion) -> Mapping[str, bytes]:
            return draw_samples(model, corpus.codec)

        with call.open_run(main_process=accelerator.is_main) as run:
            if isinstance(config, ExperimentConfig):
                single = accelerator.world == 1
                network = train(config, run, seed=options.seed, accelerator=accelerator, draw=draw if single else None)
            else:
                network = train_autoregressive(config, run, seed=options.seed, accelerator=accelerator)
            if accelerator.is_main:
                print(f"weights: {save_network(run.folder / 'pretrained', network)}")
                if options.export is not None:
                    print(f"weights: {save_network(options.export, network, half=True)}")
                if isinstance(config, ExperimentConfig):
                    print(f"next: onepaper {call.paper.name} sample --weights {run.folder}")


def _train_translation(
    call: Invocation, config: TranslationExperiment | CausalTranslationExperiment, options: TrainOptions
) -> None:
    with Accelerator(options) as accelerator:
        corpus = load_checked_pairs(config)  # inputs are validated before the run folder is created
        if accelerator.is_main:
            parts = ((name, getattr(corpus, name)) for name in ("train", "validation", "test"))
            print("; ".join(f"{name}: {len(part.pairs):,} pairs, {part.left_out:,} too long" for name, part in parts))
        with call.open_run(main_process=accelerator.is_main) as run:
            train_it = train_translation if isinstance(config, TranslationExperiment) else train_causal_translation
            network = train_it(config, run, seed=options.seed, accelerator=accelerator)  # type: ignore[arg-type]
            if accelerator.is_main:
                print(f"weights: {save_translator(run.folder / 'pretrained', network)}")
                if options.export:
                    print(f"weights: {save_translator(options.export, network, half=True)}")
                print(f"next: onepaper {call.paper.name} evaluate-translation --weights {run.folder}")


def draw_samples(model: CategoricalDiffusion, codec: TextCodec) -> Mapping[str, bytes]:
    """Texts without a prompt, as files."""
    texts = Sampler(model, SAMPLING).fill("{}", codec, SAMPLES)
    return {f"sample-{number}.txt": text.encode() for number, text in enumerate(texts)}
