"""The verb `train`."""

from onepaper.data import write_sums
from onepaper.jax.accelerator import Accelerator
from onepaper.paper import Invocation, TrainOptions
from onepaper.runs import check_writable

from simplex_cir.config import LearnedConfig
from simplex_cir.data.loading import check_fits, load
from simplex_cir.training import train


def train_verb(call: Invocation) -> None:
    """Train, with logs, checkpoints and `pretrained/` in a run folder."""
    config: LearnedConfig = call.config
    options: TrainOptions = call.options
    # Inputs are validated before the run folder is created.
    check_fits(config, load(config.data, config.model.symbols))
    if options.dry_run:
        print(f"would train {call.preset}: {config.loop.steps} steps of batch {config.batch_size}")
        return
    if options.export is not None:
        check_writable(options.export, "--export")
    with Accelerator(options) as accelerator, call.open_run(main_process=accelerator.is_main) as run:
        model = train(config, run, seed=options.seed, accelerator=accelerator)
        if accelerator.is_main:
            weights = model.save_pretrained(run.folder / "pretrained")
            if options.export is not None:
                model.save_pretrained(options.export)
                write_sums(options.export)
            print(f"weights: {weights}")
            print(f"next: onepaper {call.paper.name} sample --weights {weights}")
