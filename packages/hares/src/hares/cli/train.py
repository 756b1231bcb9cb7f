"""The verb `train`."""

from onepaper.data import write_sums
from onepaper.paper import Invocation, TrainOptions
from onepaper.runs import check_writable
from onepaper.torch.accelerator import Accelerator

from hares.training import train


def run(call: Invocation) -> None:
    """Train a preset into a run folder with logs, checkpoints and `pretrained/`."""
    options = call.options
    assert isinstance(options, TrainOptions)
    if options.dry_run:
        print(f"would train {call.preset}: {call.config.loop.steps} steps of batch {call.config.batch_size}")
        return
    if options.export is not None:
        check_writable(options.export, "--export")
    with Accelerator(options) as accelerator, call.open_run(main_process=accelerator.is_main) as run:
        encoder = train(call.config, run, seed=options.seed, accelerator=accelerator)
        if accelerator.is_main:
            print(f"weights: {encoder.save_pretrained(run.folder / 'pretrained')}")
            if options.export is not None:
                print(f"weights: {encoder.save_pretrained(options.export, half=True)}")
                write_sums(options.export)
            print(f"next: onepaper {call.paper.name} evaluate --embeddings {run.folder}")
