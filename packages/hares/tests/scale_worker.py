"""One process of a contrastive training with cached rows: `python scale_worker.py OBJECTIVE FILE`.

The main process writes all parameters to FILE.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from onepaper.accelerator import AcceleratorOptions
from onepaper.optimizer import OptimizerOptions
from onepaper.torch.accelerator import Accelerator
from onepaper.training import LoopOptions

from hares.config import CpcConfig, Objective
from hares.presets import PRESETS
from hares.training import train


def main(objective: Objective, file: Path) -> None:
    """Three steps of plain gradient descent on a global batch of eight clips, two of whose crops are kept at a time."""
    smoke = PRESETS["smoke"].config
    config = replace(
        smoke,
        objective=objective,
        encoder=replace(smoke.encoder, stochastic_depth=0.0),
        batch_size=8,
        seconds=0.3,
        # Partners of mixing are drawn within a process.
        mix_domain="none",
        cached_rows=2,
        cpc=CpcConfig(frames=16, hop=4, context=8),
        optimizer=OptimizerOptions(name="sgd", lr=0.1),
        loop=LoopOptions(steps=3),
    )
    with Accelerator(AcceleratorOptions("cpu", threads=1)) as accelerator:
        encoder = train(config, accelerator=accelerator)
        if accelerator.is_main:
            np.savez(file, **{name: value.numpy() for name, value in encoder.state_dict().items()})


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))  # type: ignore[arg-type]
