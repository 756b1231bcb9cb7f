"""Own optimisers, several averages and gathered batches in torch, against hand-written steps and one process."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn
from torch.nn.functional import cross_entropy, normalize

from onepaper.checkpoints import Checkpoints
from onepaper.errors import UsageError
from onepaper.optimizer import OptimizerOptions
from onepaper.runs import Run
from onepaper.testing import run_processes
from onepaper.torch.custom_steps import CustomTorchTask, group_parameters
from onepaper.torch.steps import TorchTask
from onepaper.training import LoopOptions, fit

from . import global_batch_worker as contrastive

WORKER = Path(__file__).with_name("global_batch_worker.py")


def by_hand():
    """The training of the worker, written out on the whole batch."""
    model = contrastive.torch_task()[1].init(0).model
    weights = dict(model.named_parameters())
    velocity = {name: torch.zeros_like(value) for name, value in weights.items()}
    averages = {decay: {name: value.detach().clone() for name, value in weights.items()} for decay in (0.5, 0.9)}
    sampler = contrastive.BatchSampler(32, contrastive.BATCH_SIZE, seed=1)
    mean = torch.zeros(4)
    for step in range(contrastive.STEPS):
        rows = sampler(step)
        first = normalize(model.first(torch.tensor(contrastive.FIRST[rows])), dim=1)
        second = normalize(model.second(torch.tensor(contrastive.SECOND[rows])), dim=1)
        mean = 0.9 * mean + 0.1 * first.detach().mean(0)
        logits, labels = first @ second.T / 0.3, torch.arange(len(rows))
        loss = cross_entropy(logits, labels) + cross_entropy(logits.T, labels)
        gradients = dict(zip(weights, torch.autograd.grad(loss, list(weights.values())), strict=True))
        norm = sum(value.square().sum() for name, value in gradients.items() if "second" in name).sqrt()
        assert norm > contrastive.CLIP, "the clipping is tested"
        with torch.no_grad():
            for name, value in weights.items():
                other = "second" in name
                velocity[name] = 0.9 * velocity[name] + gradients[name] * (contrastive.CLIP / norm if other else 1.0)
                value -= 0.1 * (contrastive.RATE if other else 1.0) * velocity[name]
                for decay, average in averages.items():
                    average[name] = decay * average[name] + (1 - decay) * value
    named = {f"model/{name}": value.detach() for name, value in weights.items()} | {"model/mean": mean}
    named |= {
        f"averages/{decay}/{name}": value for decay, average in averages.items() for name, value in average.items()
    }
    return named


def test_groups_averages_and_gathered_rows_follow_the_formulas():
    task, state = contrastive.train("torch")
    found = task.tensors(state)
    for name, wanted in by_hand().items():
        torch.testing.assert_close(found[name], wanted, rtol=1e-5, atol=1e-6)
    with task.evaluating(state, decay=0.9) as model:
        assert torch.equal(model.first.weight, state.averages["0.9"]["first.weight"])


def test_two_processes_have_the_gradient_of_one(tmp_path):
    """Also statistics without gradients, rates and norms of groups, and the averages are those of one process."""
    task, state = contrastive.train("torch")
    assert run_processes(WORKER, ["torch", str(tmp_path / "two.npz")], 2) == [0, 0]
    with np.load(tmp_path / "two.npz") as two:
        for name, value in contrastive.numbers("torch", task, state).items():
            np.testing.assert_allclose(two[name], value, rtol=1e-5, atol=1e-6, err_msg=name)


def loss(model, batch, generator):
    return model(batch["x"]).square().sum(), len(batch["x"])


def batches(step):
    return {"x": np.random.default_rng(step).normal(size=(4, 3)).astype(np.float32)}


def build():
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


def test_without_own_parts_the_step_has_the_bits_of_the_ordinary_one():
    options = OptimizerOptions(lr=0.01, weight_decay=0.1, clip_norm=0.5, ema_decay=0.9)
    plain, custom = TorchTask(build, loss, options), CustomTorchTask(build, loss, options)
    first, second = (fit(task, batches, LoopOptions(3)).state for task in (plain, custom))
    found = custom.tensors(second)
    assert all(torch.equal(value, found[name]) for name, value in plain.tensors(first).items())


def test_a_resumed_training_has_the_same_bits(tmp_path):
    def make(model):
        groups = group_parameters(model, {"2.": "head"}, "body")
        return torch.optim.RAdam([{"params": groups["body"]}, {"params": groups["head"], "clip_norm": 0.1}])

    options = OptimizerOptions(lr=0.01, ema_warmup=True)
    task = CustomTorchTask(build, loss, options, make_optimizer=make, averages=(0.9, 0.99))
    start = task.init(0).model.state_dict()
    torch.manual_seed(0)
    assert all(torch.equal(value, start[name]) for name, value in build().state_dict().items())
    whole = fit(task, batches, LoopOptions(6)).state
    with Run.open(tmp_path, paper="test", verb="train", config=None) as run:
        fit(task, batches, LoopOptions(3), run)
        resumed = fit(task, batches, LoopOptions(6), run).state
    found = task.tensors(resumed)
    assert all(torch.equal(value, found[name]) for name, value in task.tensors(whole).items())
    names = Checkpoints(tmp_path / "checkpoints", {"config": None, "seed": 0}).manifest(6).tree
    assert {"averages/0.99/0.weight", "optimizer/2.bias/exp_avg"} <= names.keys()


def test_a_decay_is_between_0_and_1():
    with pytest.raises(UsageError, match="averages is 1.5, expected a number from 0.0 to 1.0"):
        CustomTorchTask(build, loss, OptimizerOptions(), averages=(1.5,))
