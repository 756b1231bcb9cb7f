"""One process of a training on a mesh: `python scale_worker.py FOLDER STEPS TENSOR CONTEXT`.

Devices and processes come from the environment, as on a cluster. The run is FOLDER, which may hold one to go on from.
"""

import sys
from dataclasses import replace
from pathlib import Path

from onepaper.accelerator import AcceleratorOptions
from onepaper.optimizer import OptimizerOptions
from onepaper.runs import Run

from perceiver_ar import parallel
from perceiver_ar.config import ExperimentConfig
from perceiver_ar.parallel import MeshAccelerator
from perceiver_ar.presets import PRESETS
from perceiver_ar.training import train

SMOKE: ExperimentConfig = PRESETS["smoke"].config


def main(folder: Path, steps: int, tensor: int, context: int) -> None:
    """Train to this step; losses are in the run's log."""
    parallel.REPLICATED_BELOW = 1  # so that the arrays of a small model are split
    # Adam would make a step of full size of a gradient that is zero but for rounding.
    optimizer = OptimizerOptions(name="sgd", lr=0.1, clip_norm=1.0)
    config = replace(SMOKE, optimizer=optimizer, loop=replace(SMOKE.loop, steps=steps, log_every=1))
    with MeshAccelerator(AcceleratorOptions("cpu", threads=1), tensor=tensor, context=context) as accelerator:
        options = {"paper": "perceiver-ar", "verb": "train", "config": SMOKE, "main_process": accelerator.is_main}
        with Run.open(folder, **options) as run:
            train(config, run, accelerator=accelerator)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
