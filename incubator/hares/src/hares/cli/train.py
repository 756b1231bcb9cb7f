"""The verb `train`."""

from onepaper.paper import Invocation
from onepaper.torch.accelerator import Accelerator

from hares.training import train


def run(call: Invocation) -> None:
    """Train a preset into a run folder with logs, checkpoints and `pretrained/`."""
    if call.options.dry_run:
        print(f"would train {call.preset}: {call.config.loop.steps} steps of batch {call.config.batch_size}")
        return
    with Accelerator(call.options) as accelerator, call.open_run(main_process=accelerator.is_main) as run:
        encoder = train(call.config, run, seed=call.options.seed, accelerator=accelerator)
        if accelerator.is_main:
            print(f"weights: {encoder.save_pretrained(run.folder / 'pretrained')}")
            print(f"next: onepaper {call.paper.name} evaluate --embeddings {run.folder}")
