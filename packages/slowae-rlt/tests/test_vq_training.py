"""Training of the VQ-VAE: learning, resuming with its codebook, and one result on any number of devices."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.errors import UsageError
from onepaper.runs import Run

from slowae_rlt.config import VectorQuantizedExperiment
from slowae_rlt.models.vq_autoencoder import VQAutoencoder
from slowae_rlt.presets import PRESETS
from slowae_rlt.training import load_checked_recordings
from slowae_rlt.vq_training import crop_context, make_loss, train_vq

SMOKE: VectorQuantizedExperiment = PRESETS["smoke-vq"].config

_STATISTICS = """
import sys
import numpy as np
from dataclasses import replace
from slowae_rlt.presets import PRESETS
from slowae_rlt.vq_training import train_vq
config = PRESETS["smoke-vq"].config
config = replace(config, loop=replace(config.loop, steps=2, checkpoint_every=0))
model = train_vq(config, seed=5)
np.savez(sys.argv[1], *model.codebook.statistics)
"""


def test_learns_and_resumes_to_the_same_bits(tmp_path: Path) -> None:
    config = replace(SMOKE, loop=replace(SMOKE.loop, steps=30, log_every=5, checkpoint_every=10, evaluate_every=30))
    recordings = load_checked_recordings(config)
    with Run.open(tmp_path / "whole", paper="slowae-rlt", verb="train", config=config) as run:
        whole = train_vq(config, run, seed=3, recordings=recordings)
    for part in (replace(config, loop=replace(config.loop, max_minutes=1e-9)), config):
        with Run.open(tmp_path / "parts", paper="slowae-rlt", verb="train", config=config) as run:
            resumed = train_vq(part, run, seed=3, recordings=recordings)
    for first, second in zip(*(jax.tree.leaves(nnx.state(model)) for model in (whole, resumed)), strict=True):
        np.testing.assert_array_equal(first, second)
    rows = (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()
    losses = [float(row.split('"reconstruction": ')[1].split(",")[0]) for row in (rows[0], rows[-1])]
    assert losses[1] < 0.8 * losses[0]
    assert "evaluate/reconstruction_shuffled" in rows[-1]
    assert "evaluate/entropy" in rows[-1]


def test_gradient_goes_straight_through() -> None:
    """The encoder's gradient of the reconstruction is there, and none reaches the codebook."""
    config = replace(SMOKE, model=replace(SMOKE.model, codebook=replace(SMOKE.model.codebook, commitment=0.0)))
    made = VQAutoencoder(config.model, nnx.Rngs(0))
    before, after = crop_context(made)
    samples = jax.random.normal(jax.random.key(0), (2, before + 16 * 128 + after)) / 10
    graph, params, rest = nnx.split(made, nnx.Param, ...)

    def loss(params: nnx.State) -> jax.Array:
        return make_loss(config)(nnx.merge(graph, params, rest, copy=True), samples, jax.random.key(0))[0]

    gradient = jax.jit(jax.grad(loss))(params)
    assert float(jnp.abs(gradient["encoder"]["strided"][0]["linear"]["kernel"][...]).max()) > 0
    assert "codebook" not in gradient


@pytest.mark.slow
def test_statistics_are_over_all_devices(tmp_path: Path) -> None:
    """A batch over four devices gives the counts and sums of one device."""
    found = []
    for devices in (1, 4):
        path = tmp_path / f"{devices}.npz"
        variables = {**os.environ, "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
        subprocess.run([sys.executable, "-c", _STATISTICS, str(path)], env=variables, check=True)
        found.append(np.load(path))
    for name in found[0].files:
        np.testing.assert_allclose(found[0][name], found[1][name], rtol=1e-3, atol=1e-4)


def test_no_accumulation() -> None:
    with pytest.raises(UsageError, match="accumulation is above 1"):
        train_vq(replace(SMOKE, optimizer=replace(SMOKE.optimizer, accumulation=2)))
