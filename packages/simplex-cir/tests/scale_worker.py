"""One process of a training and a sampling on several devices: `python scale_worker.py FOLDER`.

Devices and processes come from the environment, as on a cluster. What was computed ends in `FOLDER/result.json`.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
from flax import nnx
from onepaper.accelerator import AcceleratorOptions
from onepaper.jax.accelerator import Accelerator
from onepaper.runs import Run
from onepaper.training import read_metrics

from simplex_cir.config import LearnedConfig
from simplex_cir.diffusion.priors import MarkovPrior
from simplex_cir.diffusion.reverse import ancestral
from simplex_cir.diffusion.snr import snr_grid
from simplex_cir.presets import PRESETS
from simplex_cir.training import train

SMOKE: LearnedConfig = PRESETS["smoke"].config
CHAIN = MarkovPrior(np.full(4, 0.25), 0.7 * np.eye(4) + 0.075)


def main(folder: Path) -> None:
    """Six steps of training, and tokens of 32 sequences split over all devices."""
    loop = replace(SMOKE.loop, steps=6, log_every=1, checkpoint_every=6)
    with Accelerator(AcceleratorOptions("cpu", threads=1)) as accelerator:
        options = {"paper": "simplex-cir", "verb": "train", "config": SMOKE, "main_process": accelerator.is_main}
        with Run.open(folder / "run", **options) as run:
            model = train(replace(SMOKE, loop=loop), run, accelerator=accelerator)
        weights = [float(np.abs(leaf).sum()) for leaf in jax.tree.leaves(nnx.state(model, nnx.Param))]
        count = 32 // accelerator.world
        everything = np.random.default_rng(0).gamma(1.0, size=(32, 5, 4)).astype(np.float32)
        v = accelerator.place(everything[accelerator.rank * count : (accelerator.rank + 1) * count])
        grid = snr_grid(8, highest=60.0)
        tokens = jax.jit(lambda key, v: ancestral(key, CHAIN, v, grid)[0])(jax.random.key(0), v)
        mine = {str(shard.index[0].start or 0): np.asarray(shard.data).tolist() for shard in tokens.addressable_shards}
        result = {"devices": jax.device_count(), "weights": weights, "tokens": mine}
        (folder / f"result{accelerator.rank}.json").write_text(json.dumps(result))
        if accelerator.is_main:
            losses = [row["loss"] for row in read_metrics(folder / "run" / "metrics.jsonl") if "loss" in row]
            (folder / "losses.json").write_text(json.dumps(losses))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
