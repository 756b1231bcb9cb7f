"""Losses against oracles, the data stream, bit-exact resumption, distillation in its order."""

import json
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from onepaper.accelerator import AcceleratorOptions
from onepaper.config import to_dict
from onepaper.errors import UsageError
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.training import LoopOptions

from compose_diffusion.config.networks import FitConfig, ScheduleConfig
from compose_diffusion.config.toy import ToyLearnedConfig, ToyNetworkConfig
from compose_diffusion.data.distributions import GaussianMixture, ring
from compose_diffusion.diffusion import add_noise, cosine_schedule
from compose_diffusion.models.toy import make_network
from compose_diffusion.presets import LAPTOP_OPTIMIZER
from compose_diffusion.training.toy import (
    distillation_loss,
    fresh_samples,
    noise_loss,
    train_network,
    trainings,
)

TINY = ToyLearnedConfig(
    network=ToyNetworkConfig(width=8, num_blocks=1, time_dim=4, schedule=ScheduleConfig(num_levels=10)),
    fit=FitConfig(steps=6, batch_size=16, optimizer=replace(LAPTOP_OPTIMIZER, warmup_steps=2)),
    components=("ring",),
)
CPU = AcceleratorOptions(device="cpu", threads=1)


def run_in(folder, config=TINY):
    return Run(folder, {"config": to_dict(config)})


@pytest.mark.parametrize("form", ["dae", "score"])
def test_noise_loss_is_the_mean_square_error_of_the_noise(form, generator):
    schedule = cosine_schedule(10)
    network = make_network(replace(TINY.network, form=form))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1)
    batch = {"points": torch.randn(7, 2, generator=generator)}
    total, weight = noise_loss(schedule)(network, batch, generator.manual_seed(5))
    generator.manual_seed(5)
    t = torch.randint(10, (7,), generator=generator)
    noise = torch.randn(7, 2, generator=generator)
    expected = F.mse_loss(network.noise(add_noise(batch["points"], noise, t, schedule), t), noise)
    torch.testing.assert_close(total / weight, expected)


def test_distillation_loss_compares_with_the_teacher_and_leaves_it_alone(generator):
    schedule = cosine_schedule(10)
    teacher = make_network(replace(TINY.network, form="score"))
    with torch.no_grad():
        teacher.mlp.layer_out.bias.copy_(torch.tensor([3.0, -1.0]))
    student = make_network(replace(TINY.network, form="dot"))  # which starts by predicting 0
    batch = {"points": torch.randn(7, 2, generator=generator)}
    total, weight = distillation_loss(schedule, teacher)(student, batch, generator)
    assert float(total.detach()) / weight == pytest.approx((3.0**2 + 1.0**2) / 2)
    total.backward()
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert any(parameter.grad.abs().max() > 0 for parameter in student.parameters())


def test_fresh_samples_are_a_function_of_seed_step_and_process():
    batches = fresh_samples(ring(), 8, seed=3)
    assert torch.equal(batches(5)["points"], fresh_samples(ring(), 8, seed=3)(5)["points"])
    seen = [batches(5), batches(6), fresh_samples(ring(), 8, seed=4)(5)]
    seen += [fresh_samples(ring(), 16, seed=3, rank=rank, world=2)(5) for rank in range(2)]
    points = [batch["points"] for batch in seen]
    assert all(p.shape == (8, 2) and p.dtype == torch.float32 for p in points)
    assert not any(torch.equal(points[0], other) for other in points[1:3])
    assert not torch.equal(points[3], points[4])
    with pytest.raises(UsageError, match="batch_size is 8 for 3 processes, expected a multiple"):
        fresh_samples(ring(), 8, seed=0, world=3)


def test_an_interrupted_training_ends_with_the_same_bits(tmp_path):
    def train(folder, **loop):
        options = LoopOptions(**{"steps": 6, "log_every": 2, "checkpoint_every": 2, **loop})
        return train_network(TINY, "ring", run_in(folder), options, seed=7, accelerator=Accelerator(CPU))

    whole, fitted = train(tmp_path / "whole")
    _, stopped = train(tmp_path / "parts", max_minutes=1e-9)
    assert not stopped.finished
    again, resumed = train(tmp_path / "parts")
    assert resumed.finished
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, rtol=0, atol=0)
    assert not whole.training
    rows = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["evaluate/held_out_loss"] == fitted.metrics["evaluate/held_out_loss"]


@pytest.mark.parametrize("form", ["dae", "l2", "dot", "score"])
def test_every_form_learns(form):
    """A standard normal stays one at every level, so the best prediction is sigma_t x, whose loss is known."""
    config = replace(
        TINY,
        network=replace(TINY.network, width=16, form=form),
        fit=FitConfig(steps=150, batch_size=64, optimizer=replace(LAPTOP_OPTIMIZER, lr=1e-2, warmup_steps=10)),
    )
    schedule = cosine_schedule(10)
    best = float(schedule.alphas_cumprod.mean())  # of E|sigma x - eps|^2 = 1 - sigma^2

    def train(steps):
        from compose_diffusion.training import toy as training

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(training, "make_component", lambda _: GaussianMixture([[0.0, 0.0]], std=1.0))
            cut = replace(config, fit=replace(config.fit, steps=steps))
            return train_network(cut, "ring", None, LoopOptions(steps=steps), accelerator=Accelerator(CPU))[1]

    before, after = (train(steps).metrics["evaluate/held_out_loss"] for steps in (1, 150))
    assert after < before
    assert after == pytest.approx(best, abs=0.06)


def test_trainings_list_one_network_a_component():
    listed = trainings(replace(TINY, components=("ring", "bar")))
    assert [(training.name, training.steps) for training in listed] == [("ring", 6), ("bar", 6)]
    assert "dae network of ring on 16 new points" in listed[0].description
    network, fitted = listed[1].fit(None, LoopOptions(steps=6), 0, Accelerator(CPU))
    assert fitted.finished
    assert network.config == TINY.network


def test_distillation_trains_the_teacher_first(tmp_path):
    listed = trainings(replace(TINY, objective="distill"))
    assert [training.name for training in listed] == ["ring-teacher", "ring"]
    with pytest.raises(UsageError, match="energy of ring has no teacher yet"):
        listed[1].fit(None, LoopOptions(steps=6), 0, Accelerator(CPU))
    fits = [listed[i].fit(run_in(tmp_path / listed[i].name), LoopOptions(steps=6), 0, Accelerator(CPU)) for i in (0, 1)]
    assert [network.config.form for network, _ in fits] == ["score", "dae"]
    # The same command again: the teacher comes back from its checkpoint, and the energy too.
    again = trainings(replace(TINY, objective="distill"))
    for training, (network, _) in zip(again, fits, strict=True):
        loaded, _ = training.fit(run_in(tmp_path / training.name), LoopOptions(steps=6), 0, Accelerator(CPU))
        for name, value in network.state_dict().items():
            torch.testing.assert_close(loaded.state_dict()[name], value, rtol=0, atol=0)


def test_compile_of_an_energy_is_refused():
    compiling = Accelerator(replace(CPU, compile=True))
    with pytest.raises(UsageError, match="compile with form 'dae', expected 'score'"):
        train_network(TINY, "ring", None, LoopOptions(steps=1), accelerator=compiling)
