"""The verb `train`."""

from onepaper.jax.accelerator import Accelerator
from onepaper.paper import Invocation

from slowae_rlt.cli.options import TrainOptions
from slowae_rlt.training import load_checked_recordings, train


def train_verb(call: Invocation) -> None:
    """The verb `train`: a run folder with logs, checkpoints and `pretrained/`."""
    config, options = call.config, call.options
    assert isinstance(options, TrainOptions)
    if options.dry_run:
        print(f"would train {call.preset}: {config.loop.steps} steps of batch {config.batch_size}")
        return
    with Accelerator(options) as accelerator:
        recordings = load_checked_recordings(config)  # inputs are validated before the run folder is created
        with call.open_run(main_process=accelerator.is_main) as run:
            model = train(config, run, seed=options.seed, accelerator=accelerator, recordings=recordings)
            if accelerator.is_main:
                for folder in filter(None, (run.folder / "pretrained", options.export)):
                    print(f"weights: {model.save_pretrained(folder)}")
                print(f"next: onepaper {call.paper.name} encode --weights {run.folder} --audio FILE")
