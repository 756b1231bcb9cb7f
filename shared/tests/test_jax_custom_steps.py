"""Own optimisers, several averages and losses over the whole batch in JAX, against a hand-written step and itself."""

from pathlib import Path

import numpy as np
import pytest

jax = pytest.importorskip("jax")
pytest.importorskip("flax")
import jax.numpy as jnp
import optax
from flax import nnx

from onepaper.errors import UsageError
from onepaper.jax.custom_steps import CustomJaxTask, label_parameters
from onepaper.jax.steps import JaxTask
from onepaper.optimizer import OptimizerOptions
from onepaper.runs import Run
from onepaper.testing import run_processes
from onepaper.training import LoopOptions, fit

from . import global_batch_worker as contrastive

WORKER = Path(__file__).with_name("global_batch_worker.py")


def by_hand():
    """The training of the worker, written out."""
    task = contrastive.jax_task()[1]
    start = contrastive.numbers("jax", task, task.init(0))
    weights = {name.removeprefix("params/"): value for name, value in start.items() if name.startswith("params/")}
    velocity = {name: np.zeros_like(value) for name, value in weights.items()}
    averages = {decay: dict(weights) for decay in contrastive.AVERAGES}
    sampler = contrastive.BatchSampler(32, contrastive.BATCH_SIZE, seed=1)
    mean = np.zeros(4)

    def features(weights, tower, x):
        y = x @ weights[f"{tower}/kernel"] + weights[f"{tower}/bias"]
        return y / jnp.linalg.norm(y, axis=1, keepdims=True)

    def loss(weights, rows):
        first = features(weights, "first", contrastive.FIRST[rows])
        second = features(weights, "second", contrastive.SECOND[rows])
        each = optax.softmax_cross_entropy_with_integer_labels
        logits, labels = first @ second.T / 0.3, jnp.arange(len(rows))
        return (each(logits, labels) + each(logits.T, labels)).mean(), first

    for step in range(contrastive.STEPS):
        (_, first), gradients = jax.value_and_grad(loss, has_aux=True)(weights, sampler(step))
        mean = 0.9 * mean + 0.1 * np.asarray(first.mean(0))
        norm = np.sqrt(sum(np.square(value).sum() for name, value in gradients.items() if "second" in name))
        assert norm > contrastive.CLIP, "the clipping is tested"
        for name, gradient in gradients.items():
            other = "second" in name
            velocity[name] = 0.9 * velocity[name] + np.asarray(gradient) * (contrastive.CLIP / norm if other else 1.0)
            weights[name] = weights[name] - 0.1 * (contrastive.RATE if other else 1.0) * velocity[name]
            for decay, average in averages.items():
                average[name] = decay * average[name] + (1 - decay) * weights[name]
    named = {f"params/{name}": value for name, value in weights.items()} | {"rest/mean": mean}
    named |= {f"averages/{decay}/{name}": value for decay, kept in averages.items() for name, value in kept.items()}
    return named


def test_transformations_averages_and_statistics_follow_the_formulas():
    task, state = contrastive.train("jax")
    found = contrastive.numbers("jax", task, state)
    for name, wanted in by_hand().items():
        np.testing.assert_allclose(found[name], wanted, rtol=2e-5, atol=2e-6, err_msg=name)
    model = task.model(state, decay=0.5)
    np.testing.assert_array_equal(model.first.kernel[...], found["averages/0.5/first/kernel"])


@pytest.mark.parametrize(("processes", "devices"), [(1, 2), (2, 1)])
def test_two_devices_have_the_gradient_of_one(tmp_path, processes, devices):
    """A loss over the whole batch, statistics without gradients, rates and norms of groups, and the averages."""
    task, state = contrastive.train("jax")
    codes = run_processes(WORKER, ["jax", str(tmp_path / "two.npz")], processes, devices)
    assert codes == [0] * processes
    with np.load(tmp_path / "two.npz") as two:
        for name, value in contrastive.numbers("jax", task, state).items():
            np.testing.assert_allclose(two[name], value, rtol=2e-5, atol=2e-6, err_msg=name)


def loss(model, batch, key):
    return jnp.square(model(batch["x"])).sum(), len(batch["x"])


def batches(step):
    return {"x": np.random.default_rng(step).normal(size=(4, 3)).astype(np.float32)}


def build(rngs):
    return nnx.Linear(3, 2, rngs=rngs)


def test_without_own_parts_the_step_has_the_bits_of_the_ordinary_one():
    options = OptimizerOptions(lr=0.01, weight_decay=0.1, clip_norm=0.5, ema_decay=0.9)
    plain, custom = (kind(build, loss, options) for kind in (JaxTask, CustomJaxTask))
    first, second = (
        contrastive.numbers("jax", task, fit(task, batches, LoopOptions(3)).state) for task in (plain, custom)
    )
    assert all(value.tobytes() == second[name].tobytes() for name, value in first.items())


def test_a_resumed_training_has_the_same_bits(tmp_path):
    direction = optax.multi_transform(
        {"a": optax.scale_by_lion(), "b": optax.scale_by_adam()}, label_parameters({"bias": "b"}, "a")
    )
    options = OptimizerOptions(lr=0.01, ema_warmup=True)
    task = CustomJaxTask(build, loss, options, direction=direction, averages=(0.9, 0.99))
    whole = contrastive.numbers("jax", task, fit(task, batches, LoopOptions(6)).state)
    with Run.open(tmp_path, paper="test", verb="train", config=None) as run:
        fit(task, batches, LoopOptions(3), run)
        resumed = contrastive.numbers("jax", task, fit(task, batches, LoopOptions(6), run).state)
    assert all(value.tobytes() == resumed[name].tobytes() for name, value in whole.items())


def test_the_warm_up_holds_for_every_average():
    task = CustomJaxTask(build, loss, OptimizerOptions(lr=0.1, ema_warmup=True), averages=(0.9, 0.99))
    start = contrastive.numbers("jax", task, task.init(0))["params/kernel"]
    moved = contrastive.numbers("jax", task, fit(task, batches, LoopOptions(1)).state)
    expected = 0.1 * start + 0.9 * moved["params/kernel"]  # the decay of step 0 is (1 + 0) / (10 + 0)
    for decay in (0.9, 0.99):
        np.testing.assert_allclose(moved[f"averages/{decay}/kernel"], expected, rtol=1e-6)


def test_a_decay_is_between_0_and_1():
    with pytest.raises(UsageError, match="averages is -0.1, expected a number from 0.0 to 1.0"):
        CustomJaxTask(build, loss, OptimizerOptions(), averages=(-0.1,))
