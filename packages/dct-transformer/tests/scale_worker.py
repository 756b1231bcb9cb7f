"""One process of trainings: `python scale_worker.py FOLDER STEPS SHARDS ...`, alone or in a cluster of torch.

Three words are a training; several trainings run one after the other.
"""

import contextlib
import sys
from dataclasses import replace
from pathlib import Path

from onepaper.accelerator import AcceleratorOptions
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator

from dct_transformer.presets import PRESETS
from dct_transformer.training import load_images, train


def main() -> None:
    """Train the smoke preset to a step, without dropout, whose masks differ between processes."""
    base = PRESETS["smoke"].config
    optimizer = replace(base.optimizer, schedule="constant", accumulation=2)
    config = replace(base, model=replace(base.model, dropout=0.0), optimizer=optimizer)
    images = load_images(config)
    with contextlib.ExitStack() as stack:
        for folder, steps, shards in zip(sys.argv[1::3], sys.argv[2::3], sys.argv[3::3], strict=True):
            # The first one starts the process group, and leaves it at the end.
            accelerator = stack.enter_context(Accelerator(AcceleratorOptions("cpu", threads=1, shards=int(shards))))
            loop = replace(base.loop, steps=int(steps), log_every=1, evaluate_every=2, checkpoint_every=2)
            main_process = accelerator.is_main
            with Run.open(
                Path(folder), paper="dct-transformer", verb="train", config=config, main_process=main_process
            ) as run:
                train(replace(config, loop=loop), run, accelerator=accelerator, images=images)


if __name__ == "__main__":
    main()
