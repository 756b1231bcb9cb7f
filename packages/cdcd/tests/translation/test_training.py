"""Training of translation: the loss by hand, gradients, learning, and resuming to the same bits."""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.runs import Run

from cdcd.config import CausalTranslationExperiment, TranslationExperiment
from cdcd.data.sentences import PADDING, ParallelCorpus
from cdcd.models.translation import TranslationDiffusion
from cdcd.presets import PRESETS
from cdcd.translation.training import make_translation_loss, train_causal_translation, train_translation

SMOKE: TranslationExperiment = PRESETS["smoke-mt"].config
CAUSAL: CausalTranslationExperiment = PRESETS["smoke-mt-autoregressive"].config


def short(config: TranslationExperiment, steps: int) -> TranslationExperiment:
    return replace(config, loop=replace(config.loop, steps=steps, log_every=5, evaluate_every=0, checkpoint_every=20))


def test_padding_is_predicted_and_tokens_are_logged_apart(pairs: ParallelCorpus) -> None:
    batch = jnp.asarray(pairs.train.source[:8]), jnp.asarray(pairs.train.target[:8])
    model = TranslationDiffusion(replace(SMOKE.model, self_conditioning=False), nnx.Rngs(0))
    model.head.bias[...] = model.head.bias[...].at[PADDING].set(30.0)  # type: ignore[index]
    config = replace(SMOKE, model=model.config)
    total, weight, logged = make_translation_loss(config)(model, batch, jax.random.key(0))
    assert float(weight) == 8 * 40
    part = float((batch[1] != PADDING).mean())
    # Padding costs nothing, other tokens about 30 nats.
    assert float(logged["loss_tokens"] / weight) == pytest.approx(30, abs=2)
    assert float(total / weight) == pytest.approx(part * float(logged["loss_tokens"] / weight), rel=0.01)


@pytest.mark.slow
def test_hidden_sources_have_no_gradient(pairs: ParallelCorpus) -> None:
    batch = jnp.asarray(pairs.train.source[:8]), jnp.asarray(pairs.train.target[:8])
    graph, params, rest = nnx.split(TranslationDiffusion(SMOKE.model, nnx.Rngs(0)), nnx.Param, ...)

    def norm(dropout: float) -> float:
        def loss(params: nnx.State) -> jax.Array:
            model = nnx.merge(graph, params, rest, copy=True)
            return make_translation_loss(replace(SMOKE, dropout=dropout))(model, batch, jax.random.key(1))[0]

        return float(jnp.abs(jax.grad(loss)(params)["encoder"]["embed_inputs"]["kernel"][...]).max())

    assert norm(1.0) == 0.0 < norm(0.0)


@pytest.mark.slow
def test_learns_and_resumes_to_the_same_bits(tmp_path: Path) -> None:
    config = short(SMOKE, 40)
    with Run.open(tmp_path / "whole", paper="cdcd", verb="train", config=config) as run:
        whole = train_translation(config, run, seed=3)
    for part in (replace(config, loop=replace(config.loop, max_minutes=1e-9)), config):
        with Run.open(tmp_path / "parts", paper="cdcd", verb="train", config=config) as run:
            resumed = train_translation(part, run, seed=3)
    for first, second in zip(*(jax.tree.leaves(nnx.state(n.model)) for n in (whole, resumed)), strict=True):
        np.testing.assert_array_equal(first, second)
    rows = (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()
    losses = [float(row.split('"loss": ')[1].split(",")[0]) for row in (rows[0], rows[-1])]
    assert losses[1] < losses[0] - 1.0


@pytest.mark.slow
def test_the_baseline_learns() -> None:
    rows = []
    for steps in (1, 60):
        network = train_causal_translation(replace(CAUSAL, loop=replace(CAUSAL.loop, steps=steps, evaluate_every=0)))
        pair = [network.codec.encode_source("And he said.", 40), network.codec.encode_target("Y dijo.", 40)]
        rows.append(float(network.model.nats(*(jnp.asarray(row)[None] for row in pair)).sum()))
    assert rows[1] < rows[0] - 5
