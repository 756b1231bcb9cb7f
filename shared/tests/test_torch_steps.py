"""The PyTorch step against hand-written updates, torch's own schedulers, and itself after a resume."""

import dataclasses
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from safetensors.torch import save_file
from torch import nn

from onepaper.accelerator import AcceleratorOptions
from onepaper.checkpoints import Checkpoints
from onepaper.data import BatchSampler
from onepaper.errors import OnePaperError, UsageError
from onepaper.optimizer import OptimizerOptions
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator, choose_device
from onepaper.torch.state_files import (
    load_pretrained,
    model_tensors,
    read_safetensors,
    save_pretrained,
    write_safetensors,
)
from onepaper.torch.steps import TorchTask
from onepaper.training import LoopOptions, fit

INPUTS = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
TARGETS = np.sin(INPUTS.sum(axis=1, keepdims=True)).astype(np.float32)
MASKS = (np.arange(40) % 3 > 0).astype(np.float32)


class Tied(nn.Module):
    """Dropout, a tied and transposed weight, a scalar parameter, batch statistics, an infinite buffer."""

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__()
        self.encode = nn.Linear(6, 8)
        self.decode = nn.Linear(8, 6, bias=False)
        self.decode.weight = nn.Parameter(self.encode.weight.detach().T)  # not contiguous
        self.again = nn.Linear(6, 8)
        self.again.weight = self.encode.weight
        self.norm = nn.BatchNorm1d(8)
        self.scale = nn.Parameter(torch.tensor(0.7))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(8, 1)
        self.register_buffer("mask", torch.tensor([0.0, -torch.inf]))
        self.register_buffer("scratch", torch.zeros(3), persistent=False)

    def forward(self, x):
        h = self.dropout(torch.relu(self.norm(self.encode(x))))
        return self.head(self.again(self.decode(h)) * self.scale)


def plain():
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))


def noisy_loss(model, batch, generator):
    x = batch["x"] + 0.1 * torch.randn(batch["x"].shape, generator=generator)
    error = (model(x) - batch["y"]).square()[:, 0] * batch["mask"]
    return error.sum(), batch["mask"].sum(), {"mean_output": model(batch["x"]).sum().detach()}


def loss(model, batch, generator):
    error = (model(batch["x"]) - batch["y"]).square()[:, 0] * batch["mask"]
    return error.sum(), batch["mask"].sum()


SAMPLER = BatchSampler(40, 12, seed=5)


def batches(step):
    chosen = SAMPLER(step)
    return {"x": INPUTS[chosen], "y": TARGETS[chosen], "mask": MASKS[chosen]}


def opened(folder):
    return Run.open(folder, paper="test", verb="train", config=None, seed=0)


def rows(folder):
    timeless = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k != "steps_per_second"} for row in timeless]


@pytest.mark.parametrize("name", ["adamw", pytest.param("sgd", marks=pytest.mark.slow)])
def test_resume_is_bit_exact(tmp_path, name):
    optimizer = OptimizerOptions(
        name, lr=0.01, momentum=0.9, weight_decay=0.1, decay="matrices", clip_norm=0.5, warmup_steps=5,
        schedule="cosine", ema_decay=0.9, ema_warmup=True, accumulation=3,
    )  # fmt: skip
    options = LoopOptions(20, log_every=4, evaluate_every=6, checkpoint_every=7)

    def train(folder, data):
        task = TorchTask(Tied, noisy_loss, optimizer, total_steps=20)

        def evaluate(state):
            with task.evaluating(state) as model:
                assert not model.training
                return {"noise": float(torch.rand(())), "output": float(model(torch.ones(2, 6)).sum())}

        with opened(folder) as run:
            return fit(task, data, options, run, seed=3, evaluate=evaluate), task

    def crashing(step):
        if step == 17:
            raise RuntimeError("power cut")
        return batches(step)

    whole, task = train(tmp_path / "whole", batches)
    with pytest.raises(RuntimeError):
        train(tmp_path / "cut", crashing)
    torch.manual_seed(99)
    resumed, _ = train(tmp_path / "cut", batches)
    expected, got = task.tensors(whole.state), task.tensors(resumed.state)
    assert expected.keys() == got.keys()
    assert {name.split("/")[0] for name in got} == {"model", "ema", "optimizer"}
    for key in expected:
        torch.testing.assert_close(got[key], expected[key], rtol=0, atol=0, equal_nan=True)
    without_noise = [{k: v for k, v in row.items() if k != "evaluate/noise"} for row in rows(tmp_path / "whole")]
    assert without_noise == [{k: v for k, v in row.items() if k != "evaluate/noise"} for row in rows(tmp_path / "cut")]


def by_hand(options, steps, total):
    """The same training, written naively: whole batch, one tensor at a time."""
    torch.manual_seed(1)
    model = plain()
    decayed = [{"params": [p for p in model.parameters() if p.ndim >= 2], "weight_decay": options.weight_decay}]
    spared = [{"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0}]
    kinds = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}
    if options.name == "sgd":
        optimizer = torch.optim.SGD(decayed + spared, lr=options.lr, momentum=options.momentum)
    else:
        optimizer = kinds[options.name](decayed + spared, lr=options.lr, betas=options.betas)
    warmup = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / 4, 1.0, total_iters=3)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total - 4)
    schedule = torch.optim.lr_scheduler.SequentialLR(optimizer, [warmup, cosine], milestones=[4])
    average = [p.detach().clone() for p in model.parameters()]
    by_step = []
    for step in range(steps):
        batch = {key: torch.as_tensor(value) for key, value in batches(step).items()}
        error = (model(batch["x"]) - batch["y"]).square()[:, 0]
        mean = (error * batch["mask"]).sum() / batch["mask"].sum()
        optimizer.zero_grad()
        mean.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), options.clip_norm)
        by_step.append((mean.item(), norm.item(), optimizer.param_groups[0]["lr"]))
        optimizer.step()
        schedule.step()
        average = [
            options.ema_decay * a + (1 - options.ema_decay) * p.detach()
            for a, p in zip(average, model.parameters(), strict=True)
        ]
    return model, average, by_step


@pytest.mark.parametrize("accumulation", [1, 4])
@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_steps_equal_a_hand_written_training(name, accumulation):
    options = OptimizerOptions(
        name, lr=0.02, momentum=0.9, weight_decay=0.05, decay="matrices", clip_norm=0.8, warmup_steps=4,
        schedule="cosine", ema_decay=0.8, accumulation=accumulation,
    )  # fmt: skip
    model, average, expected_rows = by_hand(options, steps=12, total=16)
    task = TorchTask(plain, loss, options, total_steps=16)
    state = task.init(1)
    assert min(norm for _, norm, _ in expected_rows) < options.clip_norm < max(norm for _, norm, _ in expected_rows)
    for step, (mean, norm, lr) in enumerate(expected_rows):
        state, metrics = task.step(state, batches(step))
        assert float(metrics["loss"]) == pytest.approx(mean, rel=2e-5)
        assert float(metrics["grad_norm"]) == pytest.approx(norm, rel=2e-4)
        assert metrics["lr"] == pytest.approx(lr, rel=1e-6)
    for got, expected in zip(state.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=2e-5)
    for got, expected in zip(state.ema.values(), average, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=2e-5)


def test_a_batch_that_does_not_divide_is_refused():
    task = TorchTask(plain, loss, OptimizerOptions(accumulation=5))
    with pytest.raises(UsageError, match="a batch of 12 per process does not divide into 5"):
        task.step(task.init(0), batches(0))


def test_named_sums_are_divided_by_the_weight():
    task = TorchTask(plain, noisy_loss, OptimizerOptions(accumulation=2))
    state = task.init(0)
    expected = state.model(torch.as_tensor(batches(0)["x"])).sum() / batches(0)["mask"].sum()
    _, metrics = task.step(state, batches(0))
    assert float(metrics["mean_output"]) == pytest.approx(float(expected.detach()), rel=1e-5)


def test_evaluating_swaps_the_average_in_and_back():
    task = TorchTask(plain, loss, OptimizerOptions(lr=0.1, ema_decay=0.5))
    state, _ = task.step(task.init(0), batches(0))
    before = {name: value.clone() for name, value in model_tensors(state.model).items()}
    with task.evaluating(state) as model:
        assert all(torch.equal(value, state.ema[name]) for name, value in model.named_parameters())
        assert not model(torch.ones(1, 6)).requires_grad
    assert all(torch.equal(value, before[name]) for name, value in model_tensors(state.model).items())
    assert state.model.training
    with task.evaluating(state, averaged=False) as model:
        assert all(torch.equal(value, before[name]) for name, value in model.named_parameters())


def test_bf16_computes_in_bfloat16_and_keeps_float32_weights():
    kinds = set()

    def watching(model, batch, generator):
        output = model(batch["x"])
        kinds.add(output.dtype)
        return (output.float() - batch["y"]).square().sum(), len(output)

    task = TorchTask(
        plain, watching, OptimizerOptions(), accelerator=Accelerator(AcceleratorOptions("cpu", precision="bf16"))
    )
    state, metrics = task.step(task.init(0), batches(0))
    assert kinds == {torch.bfloat16}
    assert all(value.dtype == torch.float32 for value in state.model.parameters())
    assert torch.isfinite(metrics["loss"])


def test_devices_by_name():
    assert choose_device("cpu").type == "cpu"
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="device 'cuda' is not available to PyTorch here; there is: .*cpu"):
            choose_device("cuda")
    with pytest.raises(UsageError, match="do not divide into groups of 2 shards"):
        Accelerator(AcceleratorOptions("cpu", shards=2))


def test_a_non_finite_state_is_named_and_infinite_buffers_are_not():
    task = TorchTask(Tied, loss, OptimizerOptions())
    state = task.init(0)
    assert task.non_finite(state) is None
    state.optimizer.state[state.model.scale]["exp_avg"].fill_(torch.nan)
    assert task.non_finite(state) == "optimizer/scale/exp_avg"


def test_exploding_training_stops_before_it_is_saved(tmp_path):
    task = TorchTask(plain, loss, OptimizerOptions("sgd", lr=1e6))
    with opened(tmp_path) as run, pytest.raises(OnePaperError, match=r"is (nan|inf) at step \d+; "):
        fit(task, batches, LoopOptions(200, log_every=50, checkpoint_every=2), run)
    for step in (store := Checkpoints(tmp_path / "checkpoints", {"config": None, "seed": 0})).steps():
        assert task.non_finite(task.restore(store.path(step), store.verify(step).tree)) is None


@pytest.mark.parametrize("change", ["shape", "dtype", "name"])
def test_a_checkpoint_of_another_model_is_refused(tmp_path, change):
    with opened(tmp_path) as run:
        fit(TorchTask(plain, loss, OptimizerOptions()), batches, LoopOptions(2), run)
    others = {
        "shape": (
            lambda: nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 1)),
            r"float32\[8, 6\], expected float32\[9, 6\]",
        ),
        "dtype": (lambda: plain().to(torch.bfloat16), "float32.*expected bfloat16"),
        "name": (
            lambda: nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Identity(), nn.Linear(8, 1)),
            "'model/3.weight' is missing",
        ),
    }
    build, message = others[change]
    with opened(tmp_path) as run, pytest.raises(OnePaperError, match=message):
        fit(TorchTask(build, loss, OptimizerOptions()), batches, LoopOptions(4), run)


@dataclasses.dataclass(frozen=True)
class TiedConfig:
    dropout: float = 0.0


def test_pretrained_models_keep_ties_and_layout(tmp_path):
    model = Tied()
    save_pretrained(tmp_path, model, TiedConfig(0.3))
    before = torch.get_rng_state()
    loaded, config = load_pretrained(tmp_path, TiedConfig, lambda config: Tied(config.dropout))
    assert torch.equal(before, torch.get_rng_state())
    assert config == TiedConfig(0.3)
    assert loaded.again.weight is loaded.encode.weight
    assert not loaded.decode.weight.is_contiguous()
    for (name, got), expected in zip(loaded.state_dict().items(), model.state_dict().values(), strict=True):
        assert torch.equal(got, expected), name
    with pytest.raises(OnePaperError, match=r"does not fit the model: '0\.weight' is missing"):
        load_pretrained(tmp_path, TiedConfig, lambda config: plain())


def test_damaged_safetensors_are_one_line(tmp_path):
    path = tmp_path / "weights.safetensors"
    shared = torch.arange(6.0)
    write_safetensors(
        path, {"whole": shared, "part": shared[:3], "column": shared.view(2, 3)[:, 0], "number": torch.tensor(2)}
    )
    targets = {"whole": torch.zeros(6), "part": torch.zeros(3), "column": torch.zeros(2), "number": torch.tensor(0)}
    read_safetensors(path, targets)
    assert targets["column"].tolist() == [0.0, 3.0]
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(OnePaperError, match="is damaged or no safetensors file"):
        read_safetensors(path, targets)
    save_file({"whole": torch.zeros(6, dtype=torch.float16)}, path)
    with pytest.raises(OnePaperError, match="'part' is missing"):
        read_safetensors(path, targets)


def test_a_full_disk_during_the_tensors(tmp_path):
    import os

    if os.geteuid() != 0 or os.system(f"mount -t tmpfs -o size=300k tmpfs {tmp_path} 2>/dev/null") != 0:
        pytest.skip("no right to mount a small disk")
    try:
        task = TorchTask(lambda: nn.Linear(100, 60), lambda m, b, g: (m.weight.square().sum(), 1), OptimizerOptions())
        store = Checkpoints(tmp_path / "checkpoints", {}, keep=9)
        state = task.init(0)
        with pytest.raises(OnePaperError, match="No space left on device.*is intact. Free space") as caught:
            for step in range(1, 9):
                store.save(step, lambda folder: task.save(state, folder))
        assert "\n" not in str(caught.value)
        assert not list(store.folder.glob("*.tmp"))
        assert store.restore(task.restore)[1].step == store.steps()[-1] >= 1
    finally:
        os.system(f"umount {tmp_path}")


def test_compiled_models_train_alike():
    """The switch only reaches the model; a backend without code generation keeps this quick."""
    eager = TorchTask(plain, loss, OptimizerOptions(lr=0.1))
    compiled = TorchTask(
        plain, loss, OptimizerOptions(lr=0.1), accelerator=Accelerator(AcceleratorOptions("cpu", compile=True))
    )
    real = nn.Module.compile
    try:
        nn.Module.compile = lambda self: real(self, backend="eager")
        states = [eager.init(0), compiled.init(0)]
    finally:
        nn.Module.compile = real
    assert states[1].model._compiled_call_impl is not None
    for step in range(3):
        (_, one), (_, other) = eager.step(states[0], batches(step)), compiled.step(states[1], batches(step))
        assert float(one["loss"]) == pytest.approx(float(other["loss"]), rel=1e-6)
    assert list(dict(states[1].model.named_parameters())) == ["0.weight", "0.bias", "2.weight", "2.bias"]


@pytest.mark.parametrize(("width", "reason"), [(2**70, "Overflow"), (2**31, "overflow"), (100, "is far larger")])
def test_networks_larger_than_the_memory_are_refused_by_their_weights(tmp_path, width, reason):
    save_pretrained(tmp_path, nn.Linear(2, 2), TiedConfig())
    with pytest.raises(OnePaperError, match=rf"does not fit the model[^\n]*{reason}[^\n]*\Z"):
        load_pretrained(tmp_path, TiedConfig, lambda _: nn.Sequential(nn.Linear(1, 1), nn.Linear(width, width)))
    assert load_pretrained(tmp_path, TiedConfig, lambda _: nn.Linear(2, 2))[0].in_features == 2


def test_weights_that_are_not_finite_are_refused(tmp_path):
    model = plain()
    model.register_buffer("mask", torch.full((2,), -torch.inf))
    save_pretrained(tmp_path, model, TiedConfig())

    def build(_):
        again = plain()
        again.register_buffer("mask", torch.zeros(2))
        return again

    assert load_pretrained(tmp_path, TiedConfig, build)[0].mask.isinf().all()
    name, parameter = next(iter(model.named_parameters()))
    with torch.no_grad():
        parameter.view(-1)[0] = torch.nan
    save_pretrained(tmp_path, model, TiedConfig())
    with pytest.raises(UsageError, match=f"{name} is not finite"):
        load_pretrained(tmp_path, TiedConfig, build)


def test_the_first_step_is_no_part_of_the_estimate(capsys, monkeypatch):
    """Of a clock that stands still but for 300 s in the first step and 2 s for each batch."""
    now = 0.0

    def slow_at_first(model, batch, generator):
        nonlocal now
        now += 0.0 if now > 300 else 300.0
        return loss(model, batch, generator)

    def counted(step):
        nonlocal now
        now += 2.0
        return batches(step)

    monkeypatch.setattr("tqdm.std.time", lambda: now)
    fit(TorchTask(plain, slow_at_first, OptimizerOptions()), counted, LoopOptions(20))
    assert "2.00s/step" in capsys.readouterr().err.splitlines()[0]
