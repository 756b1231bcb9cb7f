"""The verb `train`."""

from onepaper.data import write_sums
from onepaper.jax.accelerator import Accelerator
from onepaper.paper import Invocation, TrainOptions
from onepaper.runs import check_writable

from slowae_rlt.config import RunLengthExperiment, VectorQuantizedExperiment
from slowae_rlt.models.vq_autoencoder import VQAutoencoder
from slowae_rlt.pretrained.language_models import save_language_model
from slowae_rlt.run_length.training import load_levels, train_language_model
from slowae_rlt.training import load_checked_recordings, train
from slowae_rlt.vq_training import train_vq


def train_verb(call: Invocation) -> None:
    """The verb `train`: a run folder with logs, checkpoints and `pretrained/`."""
    config, options = call.config, call.options
    assert isinstance(options, TrainOptions)
    if options.dry_run:
        print(f"would train {call.preset}: {config.loop.steps} steps of batch {config.batch_size}")
        return
    if options.export is not None:
        check_writable(options.export, "--export")
    if isinstance(config, RunLengthExperiment):
        _train_language_model(call, config, options)
        return
    with Accelerator(options) as accelerator:
        recordings = load_checked_recordings(config)  # inputs are validated before the run folder is created
        with call.open_run(main_process=accelerator.is_main) as run:
            if isinstance(config, VectorQuantizedExperiment):
                model = train_vq(config, run, seed=options.seed, accelerator=accelerator, recordings=recordings)
            else:
                model = train(config, run, seed=options.seed, accelerator=accelerator, recordings=recordings)
            if accelerator.is_main:
                print(f"weights: {model.save_pretrained(run.folder / 'pretrained')}")
                if options.export is not None:
                    print(f"weights: {model.save_pretrained(options.export)}")
                    write_sums(options.export)
                if isinstance(model, VQAutoencoder):
                    print(f"next: onepaper {call.paper.name} compare-codecs --vq-weights {run.folder}")
                else:
                    print(f"next: onepaper {call.paper.name} encode --weights {run.folder} --audio FILE")


def _train_language_model(call: Invocation, config: RunLengthExperiment, options: TrainOptions) -> None:
    with Accelerator(options) as accelerator:
        data = load_levels(config)  # inputs are validated before the run folder is created
        with call.open_run(main_process=accelerator.is_main) as run:
            model = train_language_model(config, run, seed=options.seed, accelerator=accelerator, data=data)
            if accelerator.is_main:
                print(f"weights: {save_language_model(run.folder / 'pretrained', model)}")
                if options.export is not None:
                    print(f"weights: {save_language_model(options.export, model)}")
                print(f"next: onepaper {call.paper.name} generate --weights {run.folder}")
