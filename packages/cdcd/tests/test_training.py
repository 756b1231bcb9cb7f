"""Training: the loss by hand, its gradients, learning, and resuming to the same bits."""

import logging
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.errors import UsageError
from onepaper.jax.custom_steps import CustomJaxTask
from onepaper.jax.steps import JaxState
from onepaper.runs import Run

from cdcd.config import ExperimentConfig, MaskConfig
from cdcd.models.denoiser import CategoricalDiffusion
from cdcd.presets import PRESETS
from cdcd.training import load_checked_corpus, make_direction, make_loss, train, train_autoregressive, warn

SMOKE: ExperimentConfig = PRESETS["smoke"].config
TOKENS = jnp.asarray(np.random.default_rng(0).integers(0, 28, (8, 16)), jnp.int32)


def short(config: ExperimentConfig, steps: int) -> ExperimentConfig:
    return replace(config, loop=replace(config.loop, steps=steps, log_every=5, evaluate_every=0, checkpoint_every=20))


def gradients(config: ExperimentConfig, model: CategoricalDiffusion) -> dict[str, np.ndarray]:
    graph, params, rest = nnx.split(model, nnx.Param, ...)

    def loss(params: nnx.State) -> jax.Array:
        return make_loss(config)(nnx.merge(graph, params, rest, copy=True), TOKENS, jax.random.key(1))[0]

    found = jax.grad(loss)(params)
    flat, _ = jax.tree_util.tree_flatten_with_path(found)
    names = [jax.tree_util.keystr(path, simple=True, separator="/").removesuffix("/value") for path, _ in flat]
    return {name: np.asarray(leaf) for name, (_, leaf) in zip(names, flat, strict=True)}


def test_loss_counts_noisy_tokens_only(untrained: CategoricalDiffusion) -> None:
    config = replace(SMOKE, mask=MaskConfig("fixed-prefix", prefix=5))
    total, weight, logged = make_loss(config)(nnx.clone(untrained), TOKENS, jax.random.key(0))
    assert float(weight) == 8 * 11
    levels = [float(logged[f"loss_level_{number}"] / weight) for number in range(1, 5)]
    assert float(total / weight) == pytest.approx(np.mean(levels), rel=1e-5)  # two of eight rows in each
    assert float(logged["embedding_spread"] / weight) == pytest.approx(0.97, abs=0.03)


def test_gradients(untrained: CategoricalDiffusion) -> None:
    found = gradients(SMOKE, nnx.clone(untrained))
    embed = np.asarray(untrained.embed[...])
    products = (found["embed"] * embed).sum(axis=1)
    norms = np.linalg.norm(found["embed"], axis=1) * np.linalg.norm(embed, axis=1)
    np.testing.assert_allclose(products / norms, 0, atol=1e-3)
    assert np.abs(found["warp/outputs"]).max() > 0
    assert np.abs(found["warp/inputs"]).max() > 0


def test_no_gradient_goes_through_the_previous_prediction(
    untrained: CategoricalDiffusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Predictions that are constants, with the same values, give the same gradients."""
    before = gradients(SMOKE, nnx.clone(untrained))
    values: list[jax.Array] = []
    predict = CategoricalDiffusion.predict

    def constant(self: CategoricalDiffusion, hidden: jax.Array, embeddings: jax.Array) -> jax.Array:
        frozen = jax.lax.stop_gradient((hidden, embeddings))
        values.append(frozen[0])
        return predict(self, *frozen)

    monkeypatch.setattr(CategoricalDiffusion, "predict", constant)
    after = gradients(SMOKE, nnx.clone(untrained))
    assert len(values) == 1
    assert values[0].shape[0] == 4  # half of the rows
    for name, value in before.items():
        np.testing.assert_allclose(after[name], value, rtol=1e-4, atol=1e-6, err_msg=name)


def test_gradient_by_finite_differences() -> None:
    """In float64; noise levels, masks and the time warping do not move with the parameters."""
    with jax.enable_x64(True):
        config = replace(SMOKE, model=replace(SMOKE.model, width=8, depth=1, heads=2, time_width=8, embed_dim=4))
        config = replace(config, model=replace(config.model, self_conditioning=False, embed_scale=1.0))
        model = CategoricalDiffusion(config.model, nnx.Rngs(0))
        graph, params, rest = nnx.split(model, nnx.Param, ...)
        params, rest = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), (params, rest))

        def loss(params: nnx.State) -> jax.Array:
            return make_loss(config)(nnx.merge(graph, params, rest, copy=True), TOKENS, jax.random.key(1))[0]

        loss = jax.jit(loss)
        gradient = jax.grad(loss)(params)
        generator = np.random.default_rng(2)
        direction = jax.tree.map(lambda leaf: jnp.asarray(generator.standard_normal(leaf.shape)), params)
        for name in ("inputs", "outputs"):
            direction["warp"][name] = jax.tree.map(jnp.zeros_like, direction["warp"][name])
        steps = [
            float(loss(jax.tree.map(lambda leaf, move, h=h: leaf + h * move, params, direction))) for h in (1e-4, -1e-4)
        ]
        along = sum(float((a * b).sum()) for a, b in zip(*map(jax.tree.leaves, (gradient, direction)), strict=True))
    assert (steps[0] - steps[1]) / 2e-4 == pytest.approx(along, rel=2e-4)


def test_rates_of_network_and_warping(untrained: CategoricalDiffusion) -> None:
    """After the first update of Adam, weights have moved by the rate, those of the warping by its multiple."""
    options = replace(SMOKE.optimizer, warmup_steps=0, lr=1e-3, schedule="constant", clip_norm=0.0)
    config = replace(SMOKE, optimizer=options)
    task = CustomJaxTask(
        lambda rngs: CategoricalDiffusion(config.model, rngs), make_loss(config), options,
        direction=make_direction(config),
    )  # fmt: skip
    state = task.init(0)
    model = task.model(state)
    assert isinstance(model, CategoricalDiffusion)
    before = np.array(model.head.kernel[...]), np.array(model.warp.outputs[...])  # a step invalidates the state
    after = task.model(task.step(state, np.asarray(TOKENS))[0])
    assert isinstance(after, CategoricalDiffusion)
    moved = np.abs(after.head.kernel[...] - before[0]).max()
    assert moved == pytest.approx(1e-3, rel=0.01)
    moved = np.abs(after.warp.outputs[...] - before[1]).max()
    assert moved == pytest.approx(1e-3 * config.model.warp.lr_factor, rel=0.01)


def test_learns_and_resumes_to_the_same_bits(tmp_path: Path) -> None:
    config = short(SMOKE, 40)
    with Run.open(tmp_path / "whole", paper="cdcd", verb="train", config=config) as run:
        whole = train(config, run, seed=3)
    corpus, logged = load_checked_corpus(config), list[int]()
    for part in (replace(config, loop=replace(config.loop, max_minutes=1e-9)), config):
        with Run.open(tmp_path / "parts", paper="cdcd", verb="train", config=config) as run:
            resumed = train(part, run, seed=3, corpus=corpus, hooks=[lambda step, state, row: logged.append(step)])
    for first, second in zip(*(jax.tree.leaves(nnx.state(n.model)) for n in (whole, resumed)), strict=True):
        np.testing.assert_array_equal(first, second)
    assert logged[-1] == 40
    rows = (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()
    losses = [float(row.split('"loss": ')[1].split(",")[0]) for row in (rows[0], rows[-1])]
    assert losses[1] < losses[0] - 0.3


def test_causal_model_learns() -> None:
    config = PRESETS["smoke-evaluator"].config
    network = train_autoregressive(replace(config, loop=replace(config.loop, steps=60)))
    tokens = network.codec.encode("fellow citizens.")[None]
    assert float(network.model.nats(jnp.asarray(tokens)).mean()) < np.log(28)


def test_warnings(caplog: pytest.LogCaptureFixture) -> None:
    state = JaxState({}, 7)
    with caplog.at_level(logging.WARNING):
        warn(7, state, {"embedding_spread": 0.9, "evaluate/t_min_share": 0.01})
        assert not caplog.records
        warn(7, state, {"embedding_spread": 0.1})
        warn(8, state, {"evaluate/t_min_share": 0.2})
    assert "near a collapse" in caplog.text
    assert "20% of that at t_max" in caplog.text


def test_a_corpus_must_fit_the_model() -> None:
    corpus = load_checked_corpus(SMOKE)
    with pytest.raises(UsageError, match=f"tokens from 0 to {SMOKE.model.vocab_size}, expected 0 to"):
        train(SMOKE, corpus=corpus._replace(test=np.arange(SMOKE.model.vocab_size + 1)))
    with pytest.raises(UsageError, match="the test part has 3 tokens"):
        train(SMOKE, corpus=corpus._replace(test=corpus.test[:3]))
