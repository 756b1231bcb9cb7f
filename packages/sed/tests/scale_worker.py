"""One process of a training on several devices: `python scale_worker.py FOLDER STEPS`.

Devices and processes come from the environment, as on a cluster. The run is FOLDER, which may hold one to go on from.
"""

import sys
from dataclasses import replace
from pathlib import Path

from onepaper.accelerator import AcceleratorOptions
from onepaper.jax.accelerator import Accelerator
from onepaper.optimizer import OptimizerOptions
from onepaper.runs import Run

from sed.config import EmbeddingConfig, ExperimentConfig
from sed.presets import PRESETS
from sed.training import train

SMOKE: ExperimentConfig = PRESETS["smoke"].config


def main(folder: Path, steps: int) -> None:
    """Train learned embeddings to this step; losses are in the run's log."""
    # Adam would make a step of full size of a gradient that is zero but for rounding.
    optimizer = OptimizerOptions(name="sgd", lr=0.1, clip_norm=1.0, ema_decay=0.5)
    config = replace(SMOKE, embeddings=EmbeddingConfig("learned"), optimizer=optimizer)
    loop = replace(config.loop, steps=steps, log_every=1, evaluate_every=0)
    with Accelerator(AcceleratorOptions("cpu", threads=1)) as accelerator:
        options = {"paper": "sed", "verb": "train", "config": config, "main_process": accelerator.is_main}
        with Run.open(folder, **options) as run:
            train(replace(config, loop=loop), run, accelerator=accelerator)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
