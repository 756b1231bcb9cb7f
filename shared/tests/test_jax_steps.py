"""The JAX step against hand-written optax updates, optax's schedules, and itself after a resume."""

import dataclasses
import functools
import json
import os

import numpy as np
import pytest

jax = pytest.importorskip("jax")
pytest.importorskip("flax")
import jax.numpy as jnp
import optax
from flax import nnx
from safetensors.flax import save_file

from onepaper.accelerator import AcceleratorOptions, DeviceOptions
from onepaper.checkpoints import Checkpoints
from onepaper.data import BatchSampler
from onepaper.errors import OnePaperError, UsageError
from onepaper.jax.accelerator import Accelerator, use_device
from onepaper.jax.state_files import flatten, load_pretrained, model_arrays, save_pretrained
from onepaper.jax.steps import JaxTask
from onepaper.optimizer import OptimizerOptions
from onepaper.runs import Run
from onepaper.training import LoopOptions, fit

INPUTS = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
TARGETS = np.sin(INPUTS.sum(axis=1, keepdims=True)).astype(np.float32)
MASKS = (np.arange(40) % 3 > 0).astype(np.float32)
SAMPLER = BatchSampler(40, 12, seed=5)


def batches(step):
    chosen = SAMPLER(step)
    return {"x": INPUTS[chosen], "y": TARGETS[chosen], "mask": MASKS[chosen]}


class Plain(nnx.Module):
    def __init__(self, rngs, width=8, dtype=jnp.float32):
        self.first = nnx.Linear(6, width, rngs=rngs, param_dtype=dtype)
        self.second = nnx.Linear(width, 1, rngs=rngs, param_dtype=dtype)

    def __call__(self, x):
        return self.second(jnp.tanh(self.first(x)))


class Rich(nnx.Module):
    """Dropout, batch statistics, a tied weight, a scalar, an infinite constant."""

    def __init__(self, rngs, dropout=0.2):
        self.encode = nnx.Linear(6, 8, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)
        self.head = nnx.Linear(8, 1, rngs=rngs)
        self.again = nnx.Linear(8, 1, rngs=rngs)
        self.again.kernel = self.head.kernel
        self.scale = nnx.Param(jnp.float32(0.7))
        self.mask = nnx.Variable(jnp.array([0.0, -jnp.inf]))

    def __call__(self, x):
        h = self.dropout(jax.nn.relu(self.norm(self.encode(x))))
        return (self.head(h) + self.again(h)) * self.scale[...]


def loss(model, batch, key):
    error = jnp.square(model(batch["x"]) - batch["y"])[:, 0] * batch["mask"]
    return error.sum(), batch["mask"].sum()


def noisy_loss(model, batch, key):
    noise = 0.1 * jax.random.normal(key, batch["x"].shape)
    error = jnp.square(model(batch["x"] + noise) - batch["y"])[:, 0] * batch["mask"]
    return error.sum(), batch["mask"].sum(), {"noise": noise.sum()}


@functools.cache
def plain_task(options=OptimizerOptions()):
    """One compiled program for all tests of these options; a task has no state."""
    return JaxTask(Plain, loss, options)


@nnx.jit
def output(model, x):
    return model(x).sum()


def opened(folder):
    return Run.open(folder, paper="test", verb="train", config=None, seed=0)


def rows(folder):
    timeless = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k != "steps_per_second"} for row in timeless]


def test_resume_is_bit_exact(tmp_path):
    optimizer = OptimizerOptions(
        "adamw", lr=0.01, momentum=0.9, weight_decay=0.1, decay="matrices", clip_norm=0.5, warmup_steps=5,
        schedule="cosine", ema_decay=0.9, ema_warmup=True, accumulation=3,
    )  # fmt: skip
    options = LoopOptions(20, log_every=4, evaluate_every=6, checkpoint_every=7)

    first, second = (JaxTask(Rich, noisy_loss, optimizer, total_steps=20) for _ in range(2))

    def train(folder, data, task):
        with opened(folder) as run:
            return fit(
                task,
                data,
                options,
                run,
                seed=3,
                evaluate=lambda state: {"output": float(output(task.model(state), jnp.ones((2, 6))))},
            )

    def crashing(step):
        if step == 17:
            raise RuntimeError("power cut")
        return batches(step)

    whole = train(tmp_path / "whole", batches, first)
    with pytest.raises(RuntimeError):
        train(tmp_path / "cut", crashing, first)
    resumed = train(tmp_path / "cut", batches, second)
    expected, got = flatten(whole.state.arrays), flatten(resumed.state.arrays)
    assert expected.keys() == got.keys()
    assert {name.split("/")[0] for name in got} == {"params", "rest", "ema", "optimizer", "key"}
    for key in expected:
        one, other = expected[key], got[key]
        if jnp.issubdtype(one.dtype, jax.dtypes.prng_key):
            one, other = jax.random.key_data(one), jax.random.key_data(other)
        np.testing.assert_array_equal(one, other, err_msg=key)
    assert int(got["rest/dropout/rngs/count/value"]) == 20 * 3
    assert rows(tmp_path / "whole") == rows(tmp_path / "cut")


def by_hand(options, steps, total, seed):
    """The same training, written naively: whole batch, optax from its parts."""
    task = plain_task()
    graph, params = nnx.split(task.model(task.init(seed)))
    schedule = optax.join_schedules(
        [optax.linear_schedule(options.lr / 4, options.lr, 3), optax.cosine_decay_schedule(options.lr, total - 4)], [4]
    )

    def matrices(params):
        return jax.tree.map(lambda p: p.ndim >= 2, params)

    decay = optax.add_decayed_weights(options.weight_decay, matrices)
    update = {
        "adamw": optax.adamw(schedule, *options.betas, weight_decay=options.weight_decay, mask=matrices),
        "adam": optax.chain(decay, optax.adam(schedule, *options.betas)),
        "sgd": optax.chain(decay, optax.sgd(schedule, options.momentum)),
    }[options.name]
    optimizer = optax.chain(optax.clip_by_global_norm(options.clip_norm), update)
    slots, average, by_step = optimizer.init(params), params, []

    def mean(params, batch):
        total, weight = loss(nnx.merge(graph, params), batch, None)
        return total / weight

    @jax.jit
    def update(params, slots, average, batch):
        value, gradients = jax.value_and_grad(mean)(params, batch)
        updates, slots = optimizer.update(gradients, slots, params)
        params = optax.apply_updates(params, updates)
        average = jax.tree.map(lambda a, p: options.ema_decay * a + (1 - options.ema_decay) * p, average, params)
        return params, slots, average, value, optax.tree.norm(gradients)

    for step in range(steps):
        params, slots, average, value, norm = update(params, slots, average, batches(step))
        by_step.append((float(value), float(norm), float(schedule(step))))
    return params, average, by_step


@pytest.mark.parametrize(
    ("name", "accumulation"),
    [
        ("adamw", 4),
        ("sgd", 1),
        pytest.param("adamw", 1, marks=pytest.mark.slow),
        pytest.param("adam", 4, marks=pytest.mark.slow),
    ],
)
def test_steps_equal_a_hand_written_training(name, accumulation):
    options = OptimizerOptions(
        name, lr=0.02, momentum=0.9, weight_decay=0.05, decay="matrices", clip_norm=0.8, warmup_steps=4,
        schedule="cosine", ema_decay=0.8, accumulation=accumulation,
    )  # fmt: skip
    params, average, expected_rows = by_hand(options, 12, 16, seed=1)
    task = JaxTask(Plain, loss, options, total_steps=16)
    state = task.init(1)
    assert min(norm for _, norm, _ in expected_rows) < options.clip_norm < max(norm for _, norm, _ in expected_rows)
    for step, (mean, norm, lr) in enumerate(expected_rows):
        state, metrics = task.step(state, batches(step))
        assert float(metrics["loss"]) == pytest.approx(mean, rel=2e-5)
        assert float(metrics["grad_norm"]) == pytest.approx(norm, rel=2e-4)
        assert metrics["lr"] == pytest.approx(lr, rel=1e-6)
    for tree, expected in ((state.arrays["params"], params), (state.arrays["ema"], average)):
        for got, wanted in zip(jax.tree.leaves(tree), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=2e-5)


def test_the_old_state_is_donated_and_nothing_recompiles():
    task = JaxTask(Plain, loss, OptimizerOptions(warmup_steps=3, ema_decay=0.9))
    first = task.init(0)
    state, _ = task.step(first, batches(0))
    assert all(array.is_deleted() for array in jax.tree.leaves(first.arrays["params"]))
    for step in range(1, 6):
        state, _ = task.step(state, batches(step))
    assert task._update._cache_size() == 1


def test_named_sums_and_keys_of_micro_batches():
    task = JaxTask(Plain, noisy_loss, OptimizerOptions(accumulation=2))
    state = task.init(0)
    state, one = task.step(state, batches(0))
    _, later = task.step(state, batches(0))
    assert float(one["noise"]) != float(later["noise"])
    _, same = task.step(task.init(0), batches(0))
    _, other = task.step(task.init(7), batches(0))
    assert float(one["noise"]) == float(same["noise"]) != float(other["noise"])
    with pytest.raises(UsageError, match="a batch of 12 does not divide into 5 micro-batches"):
        JaxTask(Plain, loss, OptimizerOptions(accumulation=5)).step(task.init(0), batches(0))


def test_bf16_computes_in_bfloat16_and_keeps_float32_weights():
    kinds = set()

    def watching(model, batch, key):
        output = model(batch["x"])
        kinds.add(output.dtype)
        return jnp.square(output.astype(jnp.float32) - batch["y"]).sum(), len(output)

    task = JaxTask(Plain, watching, OptimizerOptions(), accelerator=Accelerator(AcceleratorOptions(precision="bf16")))
    state, metrics = task.step(task.init(0), batches(0))
    assert kinds == {jnp.dtype(jnp.bfloat16)}
    assert all(array.dtype == jnp.float32 for array in jax.tree.leaves(state.arrays["params"]))
    assert np.isfinite(float(metrics["loss"]))


def test_a_non_finite_state_is_named_and_infinite_constants_are_not():
    task = JaxTask(Rich, loss, OptimizerOptions(ema_decay=0.9))
    state = task.init(0)
    assert task.non_finite(state) is None
    state.arrays["ema"]["scale"] = jax.tree.map(lambda array: array * jnp.nan, state.arrays["ema"]["scale"])
    assert task.non_finite(state) == "ema/scale/value"


def test_exploding_training_stops_before_it_is_saved(tmp_path):
    task = plain_task(OptimizerOptions("sgd", lr=1e6))
    with opened(tmp_path) as run, pytest.raises(OnePaperError, match=r"is (nan|inf) at step \d+; "):
        fit(task, batches, LoopOptions(200, log_every=50, checkpoint_every=2), run)
    for step in (store := Checkpoints(tmp_path / "checkpoints", {"config": None, "seed": 0})).steps():
        assert task.non_finite(task.restore(store.path(step), store.verify(step).tree)) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 9}, r"float32\[6, 8\], expected float32\[6, 9\]"),
        ({"dtype": jnp.bfloat16}, "float32.*expected bfloat16"),
    ],
)
def test_a_checkpoint_of_another_model_is_refused(tmp_path, change, message):
    with opened(tmp_path) as run:
        fit(plain_task(), batches, LoopOptions(2), run)
    with opened(tmp_path) as run, pytest.raises(OnePaperError, match=message):
        fit(JaxTask(lambda rngs: Plain(rngs, **change), loss, OptimizerOptions()), batches, LoopOptions(4), run)


@pytest.mark.parametrize("damage", ["flip", "truncate"])
def test_a_damaged_newest_checkpoint_falls_back_and_ends_alike(tmp_path, damage):
    options = LoopOptions(12, log_every=3, checkpoint_every=3)

    with opened(tmp_path) as run:
        whole = fit(plain_task(), batches, options, run)
    newest = tmp_path / "checkpoints" / "step_12"
    largest = max((path for path in newest.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
    largest.write_bytes(content if damage == "flip" else content[:-9])
    with opened(tmp_path) as run:
        again = fit(plain_task(), batches, options, run)
    assert (tmp_path / "checkpoints" / "step_12.broken").is_dir()
    for one, other in zip(
        jax.tree.leaves(whole.state.arrays["params"]), jax.tree.leaves(again.state.arrays["params"]), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert [row["step"] for row in rows(tmp_path)] == [3, 6, 9, 12]


@dataclasses.dataclass(frozen=True)
class RichConfig:
    dropout: float = 0.0


def test_pretrained_models_come_back(tmp_path):
    model = Rich(nnx.Rngs(4))
    save_pretrained(tmp_path, model, RichConfig(0.3))
    loaded, config = load_pretrained(tmp_path, RichConfig, lambda config, rngs: Rich(rngs, config.dropout))
    assert config == RichConfig(0.3)
    assert loaded.again.kernel is loaded.head.kernel
    expected = model_arrays(model)
    assert "encode/kernel" in expected
    assert not any("rngs" in name for name in expected)
    for name, array in model_arrays(loaded).items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)
    for one in (model, loaded):
        one.eval()
    assert float(output(model, INPUTS)) == float(output(loaded, INPUTS))
    with pytest.raises(OnePaperError, match="does not fit the model: 'first/bias' is missing"):
        load_pretrained(tmp_path, RichConfig, lambda config, rngs: Plain(rngs))


def test_bfloat16_weights_are_kept(tmp_path):
    model = Plain(nnx.Rngs(0), dtype=jnp.bfloat16)
    save_pretrained(tmp_path, model, RichConfig())
    loaded, _ = load_pretrained(tmp_path, RichConfig, lambda config, rngs: Plain(rngs, dtype=jnp.bfloat16))
    assert loaded.first.kernel.dtype == jnp.bfloat16
    with pytest.raises(OnePaperError, match="bfloat16.*expected float32"):
        load_pretrained(tmp_path, RichConfig, lambda config, rngs: Plain(rngs))
    save_file({"stranger": jnp.zeros(3)}, tmp_path / "model.safetensors")
    with pytest.raises(OnePaperError, match="is damaged"):
        load_pretrained(tmp_path, RichConfig, lambda config, rngs: Plain(rngs))


def test_a_full_disk_during_the_arrays(tmp_path):
    if os.geteuid() != 0 or os.system(f"mount -t tmpfs -o size=600k tmpfs {tmp_path} 2>/dev/null") != 0:
        pytest.skip("no right to mount a small disk")
    try:
        task = JaxTask(
            lambda rngs: nnx.Linear(100, 150, rngs=rngs), lambda m, b, k: (m.kernel[...].sum(), 1), OptimizerOptions()
        )
        store = Checkpoints(tmp_path / "checkpoints", {}, keep=9)
        state = task.init(0)
        with pytest.raises(OnePaperError, match="is intact. Free space") as caught:
            for step in range(1, 9):
                store.save(step, lambda folder: task.save(state, folder))
        assert "\n" not in str(caught.value)
        assert not list(store.folder.glob("*.tmp"))
        assert store.restore(task.restore)[1].step == store.steps()[-1] >= 1
    finally:
        os.system(f"umount {tmp_path}")


def test_messages_about_devices():
    with pytest.raises(UsageError, match="do not divide into groups of 7 shards"):
        Accelerator(AcceleratorOptions(shards=7))
    with pytest.raises(UsageError, match="threads is 3; JAX takes 1"):
        Accelerator(AcceleratorOptions(threads=3))
    with pytest.raises(UsageError, match="threads is 3; JAX takes 1"):
        use_device(DeviceOptions(threads=3))
    for make in (use_device, Accelerator):
        jax.devices()
        with pytest.raises(UsageError, match="device 'tpu' is not available to JAX here: this process already"):
            make(AcceleratorOptions("tpu"))
    jax.config.update("jax_platforms", None)


@pytest.mark.parametrize("width", [2**31 - 1, 10**6])
def test_networks_larger_than_the_memory_are_refused_by_their_weights(tmp_path, width):
    save_pretrained(tmp_path, nnx.Linear(2, 2, rngs=nnx.Rngs(0)), RichConfig())
    with pytest.raises(OnePaperError, match="'kernel' is float32"):
        load_pretrained(tmp_path, RichConfig, lambda _, rngs: nnx.Linear(width, width, rngs=rngs))


def test_weights_that_are_not_finite_are_refused(tmp_path):
    model = Plain(nnx.Rngs(0))
    name, parameter = next(iter(flatten(nnx.state(model, nnx.Param)).items()))
    arrays = model_arrays(model)
    arrays[name.removesuffix("/value")] = jnp.full_like(parameter, jnp.nan)
    save_pretrained(tmp_path, arrays, RichConfig())
    with pytest.raises(UsageError, match=f"{name.removesuffix('/value')} is not finite"):
        load_pretrained(tmp_path, RichConfig, lambda config, rngs: Plain(rngs))


@pytest.mark.parametrize("error", [AssertionError(), RuntimeError("no plugin\nfor it")])
def test_a_device_that_is_not_there_is_one_line(monkeypatch, error):
    def devices():
        raise error

    before = jax.config.jax_platforms
    monkeypatch.setattr(jax, "devices", devices)
    try:
        with pytest.raises(UsageError, match="^device 'cuda' is not available to JAX here[^\n]*choose cpu or auto$"):
            use_device(DeviceOptions(device="gpu"))
    finally:
        jax.config.update("jax_platforms", before)


def test_the_first_step_is_no_part_of_the_estimate(capsys, monkeypatch):
    """Of a clock that stands still but for 300 s at each compilation and 2 s for each batch."""
    now = 0.0

    def slow_at_first(model, batch, key):
        nonlocal now
        now += 300.0
        return loss(model, batch, key)

    def counted(step):
        nonlocal now
        now += 2.0
        return batches(step)

    monkeypatch.setattr("tqdm.std.time", lambda: now)
    fit(JaxTask(Plain, slow_at_first, OptimizerOptions()), counted, LoopOptions(20))
    assert "2.00s/step" in capsys.readouterr().err.splitlines()[0]
