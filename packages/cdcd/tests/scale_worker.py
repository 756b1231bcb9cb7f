"""One process of a training: `python scale_worker.py FOLDER STEPS SHARDS`.

Devices and processes come from the environment, as on a cluster. The run is FOLDER, which may hold one to go on from.
"""

import sys
from dataclasses import replace
from pathlib import Path

from onepaper.accelerator import AcceleratorOptions
from onepaper.jax.accelerator import Accelerator
from onepaper.optimizer import OptimizerOptions
from onepaper.runs import Run

from cdcd.config import ExperimentConfig
from cdcd.presets import PRESETS
from cdcd.training import train

SMOKE: ExperimentConfig = PRESETS["smoke"].config


def main(folder: Path, steps: int, shards: int) -> None:
    """Train to this step; losses are in the run's log."""
    # Adam would make a step of full size of a gradient that is zero but for rounding.
    optimizer = OptimizerOptions(name="sgd", lr=0.1, clip_norm=1.0)
    loop = replace(SMOKE.loop, steps=steps, log_every=1, evaluate_every=0)
    config = replace(SMOKE, optimizer=optimizer, loop=loop)
    options = AcceleratorOptions("cpu", threads=1, shards=shards)
    with Accelerator(options) as accelerator:
        opened = {"paper": "cdcd", "verb": "train", "config": SMOKE, "main_process": accelerator.is_main}
        with Run.open(folder, **opened) as run:
            train(config, run, accelerator=accelerator)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
