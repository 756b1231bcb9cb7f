"""Training: the loss by hand, its gradients, learning, and resuming to the same bits."""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.accelerator import AcceleratorOptions
from onepaper.errors import UsageError
from onepaper.jax.accelerator import Accelerator
from onepaper.jax.custom_steps import CustomJaxTask
from onepaper.jax.steps import JaxState
from onepaper.runs import Run

from sed import training
from sed.config import EmbeddingConfig, ExperimentConfig, SpanConfig
from sed.data.corpus import Corpus
from sed.models.denoiser import EmbeddingDiffusion
from sed.models.learned import LearnedEmbeddings
from sed.presets import PRESETS
from sed.training import (
    embedding_table,
    infill_error,
    load_checked_corpus,
    make_direction,
    make_learned_loss,
    make_loss,
    train,
    train_autoregressive,
    train_masked,
    warn_of_collapse,
)

SMOKE: ExperimentConfig = PRESETS["smoke"].config
TOKENS = jnp.asarray(np.random.default_rng(0).integers(0, 2048, (8, 16)), jnp.int32)
KINDS = ("both", "coin", "off")


def with_kind(kind: str) -> ExperimentConfig:
    return replace(SMOKE, model=replace(SMOKE.model, self_conditioning=kind))  # type: ignore[arg-type]


def short(config: ExperimentConfig, steps: int) -> ExperimentConfig:
    return replace(config, loop=replace(config.loop, steps=steps, log_every=5, evaluate_every=0, checkpoint_every=20))


def gradients(config: ExperimentConfig, model: EmbeddingDiffusion, part: str = "loss") -> dict[str, np.ndarray]:
    graph, params, rest = nnx.split(model, nnx.Param, ...)

    def loss(params: nnx.State) -> jax.Array:
        total, _, logged = make_loss(config)(nnx.merge(graph, params, rest, copy=True), TOKENS, jax.random.key(1))
        return total if part == "loss" else logged[part]

    flat, _ = jax.tree_util.tree_flatten_with_path(jax.grad(loss)(params))
    return {jax.tree_util.keystr(path, simple=True, separator="/").removesuffix("/value"): np.asarray(leaf)
            for path, leaf in flat}  # fmt: skip


def test_error_is_the_mean_of_each_example() -> None:
    x_0, found = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    given = np.array([[True, True, True, False], [False] * 4, [True] * 4])
    error = infill_error(jnp.asarray(found), jnp.asarray(x_0), jnp.asarray(given))
    expected = [np.square(found - x_0)[0, 3].mean(), np.square(found - x_0)[1].mean(), 0]
    np.testing.assert_allclose(error, expected, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_losses_and_what_is_logged(kind: str, untrained: EmbeddingDiffusion) -> None:
    total, weight, logged = make_loss(with_kind(kind))(nnx.clone(untrained), TOKENS, jax.random.key(0))
    assert weight == 8
    assert float(total) == pytest.approx(float(logged["mse"] + logged["readout_nats"]), rel=1e-6)
    parts = [float(logged[f"mse_part_{number}"]) for number in range(1, 5)]
    assert float(logged["mse"]) == pytest.approx(np.mean(parts), rel=1e-5)  # two of eight rows in each
    if kind == "both":
        assert float(logged["mse"]) == pytest.approx(float(logged["mse_first"] + logged["mse_second"]) / 2, rel=1e-5)


def test_first_loss_is_the_mean_square_of_embeddings() -> None:
    table = embedding_table(SMOKE)[1]
    model = EmbeddingDiffusion(SMOKE.model, nnx.Rngs(0), table)
    _, weight, logged = make_loss(SMOKE)(model, TOKENS, jax.random.key(0))
    assert float(logged["mse"]) / weight == pytest.approx(1.0001, abs=2e-3)
    assert float(logged["readout_nats"]) / weight < 0.1


def test_losses_share_no_weight(untrained: EmbeddingDiffusion) -> None:
    """Exactly: the error moves the network alone, the cross-entropy the readout alone, and nothing the embeddings."""
    error, readout = (gradients(SMOKE, nnx.clone(untrained), part) for part in ("mse", "readout_nats"))
    assert not any("table" in name for name in error)
    for name in error:
        moved, still = (readout, error) if name == "readout" else (error, readout)
        assert np.abs(moved[name]).max() > 0
        assert np.abs(still[name]).max() == 0


@pytest.mark.parametrize("kind", ["both", "coin"])
def test_no_gradient_goes_through_the_own_estimate(
    kind: str, untrained: EmbeddingDiffusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Own estimates that are constants, with the same values, give the same gradients."""
    before = gradients(with_kind(kind), nnx.clone(untrained))
    frozen: list[jax.Array] = []
    call = EmbeddingDiffusion.__call__

    def constant(self, x_t, cond, given, x_self, t, keys=None):  # type: ignore[no-untyped-def]
        if np.ndim(x_self) and not isinstance(x_self, np.ndarray):
            frozen.append(x_self)
        return call(self, x_t, cond, given, jax.lax.stop_gradient(x_self), t, keys)

    monkeypatch.setattr(EmbeddingDiffusion, "__call__", constant)
    after = gradients(with_kind(kind), nnx.clone(untrained))
    assert len(frozen) == 2
    for name, value in before.items():
        np.testing.assert_allclose(after[name], value, rtol=1e-4, atol=1e-6, err_msg=name)


def test_what_is_dropped_sees_neither_given_tokens_nor_its_estimate(
    untrained: EmbeddingDiffusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[jax.Array, jax.Array]] = []
    call = EmbeddingDiffusion.__call__

    def recorded(self, x_t, cond, given, x_self, t, keys=None):  # type: ignore[no-untyped-def]
        seen.append((cond, x_self))
        return call(self, x_t, cond, given, x_self, t, keys)

    monkeypatch.setattr(EmbeddingDiffusion, "__call__", recorded)
    for rate, hidden in ((1.0, True), (0.0, False)):
        seen.clear()
        config = replace(SMOKE, spans=SpanConfig(5, dropout=rate))
        make_loss(config)(nnx.clone(untrained), TOKENS, jax.random.key(0))
        (cond, first), (_, second) = seen
        assert not np.any(first)
        assert bool(np.any(cond)) != hidden
        assert bool(np.any(second)) != hidden


def test_loss_does_not_depend_on_estimates_of_given_tokens(untrained: EmbeddingDiffusion, monkeypatch: object) -> None:
    call = EmbeddingDiffusion.__call__
    config = with_kind("off")
    before = make_loss(config)(nnx.clone(untrained), TOKENS, jax.random.key(0))[2]["mse"]
    with pytest.MonkeyPatch.context() as patch:

        def shifted(self, x_t, cond, given, x_self, t, keys=None):  # type: ignore[no-untyped-def]
            return call(self, x_t, cond, given, x_self, t, keys) + 100.0 * given[..., None]

        patch.setattr(EmbeddingDiffusion, "__call__", shifted)
        assert float(make_loss(config)(nnx.clone(untrained), TOKENS, jax.random.key(0))[2]["mse"]) == float(before)


def test_network_and_readout_are_clipped_apart() -> None:
    """A gradient of the readout of any size leaves the step of the network as it is."""
    options = replace(SMOKE.optimizer, name="sgd", clip_norm=1.0)
    direction = make_direction(replace(SMOKE, optimizer=options))
    params = {"embed": jnp.zeros(3), "readout": jnp.zeros(3)}
    steps = [
        direction.update({"embed": jnp.ones(3) * 4, "readout": jnp.ones(3) * size}, direction.init(params), params)[0]
        for size in (0.1, 1e6)
    ]
    for step in steps:
        np.testing.assert_allclose(step["embed"], 3**-0.5, rtol=1e-5)
    np.testing.assert_allclose(steps[0]["readout"], 0.1, rtol=1e-5)
    np.testing.assert_allclose(steps[1]["readout"], 3**-0.5, rtol=1e-5)


def test_embeddings_do_not_move() -> None:
    table = embedding_table(SMOKE)[1]
    task = CustomJaxTask(
        lambda rngs: EmbeddingDiffusion(SMOKE.model, rngs, table), make_loss(SMOKE), SMOKE.optimizer,
        direction=make_direction(SMOKE), total_steps=10,
    )  # fmt: skip
    model = task.model(task.step(task.init(0), np.asarray(TOKENS))[0])
    assert isinstance(model, EmbeddingDiffusion)
    np.testing.assert_array_equal(model.table[...], table)
    assert model.readout is not None
    assert np.abs(model.readout[...] - table).max() > 0


def test_sources_of_embeddings(weights: Path, tmp_path: Path) -> None:
    bits = replace(SMOKE, embeddings=EmbeddingConfig("bits"), model=replace(SMOKE.model, bits=True, embed_dim=11))
    assert embedding_table(bits)[1].shape == (2048, 11)
    file = tmp_path / "table.npy"
    np.save(file, np.random.default_rng(0).standard_normal((2048, 24)))
    table = embedding_table(replace(SMOKE, embeddings=EmbeddingConfig("file", path=file)))[1]
    np.testing.assert_allclose(np.square(table).sum(axis=1), 16, rtol=1e-4)
    folder = str(weights / "kjv-embeddings")
    assert embedding_table(replace(SMOKE, embeddings=EmbeddingConfig(weights=folder)))[1].shape == (2048, 16)
    np.save(file, np.zeros((3, 24)))
    with pytest.raises(UsageError, match="has 3 rows, expected 2048"):
        embedding_table(replace(SMOKE, embeddings=EmbeddingConfig("file", path=file)))
    wide = replace(SMOKE, embeddings=EmbeddingConfig(weights=folder), model=replace(SMOKE.model, embed_dim=8))
    with pytest.raises(UsageError, match="give --model.vocab-size 2048 --model.embed-dim 16"):
        embedding_table(wide)


def test_learns_and_resumes_to_the_same_bits(tmp_path: Path) -> None:
    config = short(replace(SMOKE, optimizer=replace(SMOKE.optimizer, ema_decay=0.9)), 40)
    with Run.open(tmp_path / "whole", paper="sed", verb="train", config=config) as run:
        whole = train(config, run, seed=3)
    corpus, logged = load_checked_corpus(config), list[int]()
    for part in (replace(config, loop=replace(config.loop, max_minutes=1e-9)), config):
        with Run.open(tmp_path / "parts", paper="sed", verb="train", config=config) as run:
            resumed = train(part, run, seed=3, corpus=corpus, hooks=[lambda step, state, row: logged.append(step)])
    for first, second in zip(*(jax.tree.leaves(nnx.state(n.model)) for n in (whole, resumed)), strict=True):
        np.testing.assert_array_equal(first, second)
    assert logged[-1] == 40
    rows = (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()
    losses = [float(row.split('"loss": ')[1].split(",")[0]) for row in (rows[0], rows[-1])]
    assert losses[1] < losses[0] - 0.05


@pytest.mark.slow
def test_masked_and_causal_models_learn(corpus: Corpus) -> None:
    windows = corpus.test[:640].reshape(40, 16)
    masked = PRESETS["smoke-embeddings"].config
    found = train_masked(replace(masked, loop=replace(masked.loop, steps=60, evaluate_every=0)))
    assert training.masked_nats(found.model, windows) < np.log(2048) - 1
    causal = PRESETS["smoke-evaluator"].config
    network = train_autoregressive(replace(causal, loop=replace(causal.loop, steps=60, evaluate_every=0)))
    assert training.causal_nats(network.model, windows).mean() < np.log(2048) - 1


def test_a_corpus_must_fit_the_model() -> None:
    corpus = load_checked_corpus(SMOKE)
    with pytest.raises(UsageError, match=f"tokens from 0 to {SMOKE.model.vocab_size}, expected 0 to"):
        train(SMOKE, corpus=corpus._replace(validation=np.arange(SMOKE.model.vocab_size + 1)))
    with pytest.raises(UsageError, match="the validation part has 3 tokens"):
        train(SMOKE, corpus=corpus._replace(validation=corpus.test[:3]))


LEARNED = replace(SMOKE, embeddings=EmbeddingConfig("learned"))


def test_learned_embeddings_get_the_gradient_of_both_losses() -> None:
    """Against differences along a random direction; the readout's part is not zero."""
    config = with_kind("off")  # an own estimate depends on the rows too, but no gradient goes through it
    table = jnp.asarray(embedding_table(LEARNED)[1])
    graph, params, rest = nnx.split(LearnedEmbeddings(config.model, nnx.Rngs(0), table), nnx.Param, ...)
    params["network"]["predict"]["kernel"][...] = 0.3 * jax.random.normal(jax.random.key(2), (32, 16))

    @jax.jit
    def losses(rows: jax.Array) -> tuple[jax.Array, jax.Array]:
        model = nnx.merge(graph, params, rest, copy=True)
        model.rows[...] = rows
        _, weight, logged = make_learned_loss(config)(model, TOKENS, jax.random.key(1))
        assert set(logged) > {"embedding_spread"}
        return logged["mse"] / weight, logged["readout_nats"] / weight

    along = jax.random.normal(jax.random.key(3), table.shape)
    for number in range(2):
        gradient = jax.grad(lambda rows: losses(rows)[number])(table)  # noqa: B023
        # The readout is sure of almost all tokens at first: rows that are near one another have a gradient to measure.
        step = 1e-2 * along
        difference = losses(table + step)[number] - losses(table - step)[number]
        assert np.abs(gradient).max() > 0
        np.testing.assert_allclose(difference, 2 * (gradient * step).sum(), rtol=0.05, atol=1e-4)


def test_learned_embeddings_move_and_resume_to_the_same_bits(tmp_path: Path) -> None:
    config = short(replace(LEARNED, optimizer=replace(LEARNED.optimizer, ema_decay=0.5)), 6)
    rows: list[dict[str, float]] = []
    with Run.open(tmp_path, paper="sed", verb="train", config=config) as run:
        train(replace(config, loop=replace(config.loop, steps=2)), run, seed=3)
    with Run.open(tmp_path, paper="sed", verb="train", config=config) as run:
        resumed = train(config, run, seed=3)
    network = train(config, seed=3, hooks=[lambda step, state, row: rows.append(dict(row))])
    assert type(network.model) is EmbeddingDiffusion
    table, start = np.asarray(network.model.table[...]), embedding_table(config)[1]
    np.testing.assert_array_equal(table, resumed.model.table[...])
    np.testing.assert_allclose(np.square(table).sum(axis=1), 16, rtol=1e-4)
    assert np.abs(table - start).max() > 1e-3
    assert 0.5 < rows[0]["embedding_spread"] < 1


def test_a_collapse_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    warn_of_collapse(6, JaxState({}, 6), {"embedding_spread": 0.4})
    warn_of_collapse(6, JaxState({}, 6), {})
    assert not caplog.records
    warn_of_collapse(7, JaxState({}, 7), {"embedding_spread": 0.04})
    assert "step 7: the embeddings have nearly collapsed, their mean squared distance is 4.0%" in caplog.text


def test_bfloat16_multiplies_and_float32_is_kept() -> None:
    """The estimates are those of float32 but for rounding; weights, moments and averages stay in float32."""
    table = jnp.asarray(embedding_table(SMOKE)[1])
    config = replace(SMOKE, optimizer=replace(SMOKE.optimizer, ema_decay=0.5))
    found = {}
    for precision in ("fp32", "bf16"):
        task = CustomJaxTask(
            lambda rngs: EmbeddingDiffusion(SMOKE.model, rngs, table), make_loss(SMOKE), config.optimizer,
            direction=make_direction(config), total_steps=10,
            accelerator=Accelerator(AcceleratorOptions("cpu", precision=precision)),
        )  # fmt: skip
        state = task.init(0)
        for _ in range(3):
            state, metrics = task.step(state, np.asarray(TOKENS))
        floats = [leaf for leaf in jax.tree.leaves(state.arrays) if jnp.issubdtype(leaf.dtype, jnp.floating)]
        assert all(leaf.dtype == jnp.float32 for leaf in floats)
        found[precision] = float(metrics["loss"])
    assert found["bf16"] != found["fp32"]
    assert found["bf16"] == pytest.approx(found["fp32"], rel=2e-2)
