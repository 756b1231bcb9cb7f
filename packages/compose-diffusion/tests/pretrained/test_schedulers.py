import diffusers
import pytest
import torch
from diffusers import DDPMScheduler, FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler
from onepaper.errors import UsageError

from compose_diffusion.pretrained.schedulers import trained_levels

SETTINGS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 500}


@pytest.mark.parametrize("beta_schedule", ["linear", "scaled_linear", "squaredcos_cap_v2"])
def test_levels_in_float32_are_the_schedulers_bit_for_bit(beta_schedule):
    theirs = DDPMScheduler(num_train_timesteps=200, beta_schedule=beta_schedule)
    ours = trained_levels(theirs).schedule.to(torch.float32)
    assert torch.equal(ours.betas, theirs.betas)
    assert torch.equal(ours.alphas_cumprod, theirs.alphas_cumprod)


@pytest.mark.parametrize(
    "name",
    [
        "DDIMScheduler",
        "PNDMScheduler",
        "EulerDiscreteScheduler",
        "DPMSolverMultistepScheduler",
        "HeunDiscreteScheduler",
    ],
)
def test_the_noise_of_a_network_does_not_depend_on_its_sampler(name):
    scheduler = getattr(diffusers, name)(**SETTINGS, prediction_type="v_prediction")
    scheduler.set_timesteps(7)  # whatever it was last set to is not the network's business
    found = trained_levels(scheduler)
    assert (found.prediction, len(found.schedule), found.num_train_timesteps) == ("v", 500, 500)
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 500, dtype=torch.float64) ** 2
    torch.testing.assert_close(found.schedule.alphas_cumprod, torch.cumprod(1 - betas, 0), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("spacing", ["leading", "linspace", "trailing"])
def test_fewer_levels_follow_the_schedulers_spacing(spacing):
    theirs = DDPMScheduler(timestep_spacing=spacing, steps_offset=1 if spacing == "leading" else 0)
    found = trained_levels(theirs, 20)
    theirs.set_timesteps(20)
    expected = theirs.alphas_cumprod[theirs.timesteps.flip(0)]
    torch.testing.assert_close(found.schedule.alphas_cumprod.float(), expected, rtol=1e-5, atol=1e-7)
    assert len(found.own) == 1000


def test_clipping_is_passed_on():
    assert trained_levels(DDPMScheduler(clip_sample_range=2.0)).clip_x0 == 2.0
    assert trained_levels(DDPMScheduler(clip_sample=False)).clip_x0 is None


def test_schedules_that_end_in_pure_noise():
    found = trained_levels(DDPMScheduler(rescale_betas_zero_snr=True, prediction_type="v_prediction"))
    assert 0 < float(found.schedule.alphas_cumprod[-1]) < 1e-8


def test_pure_noise_is_refused_where_a_network_predicts_it():
    scheduler = DDPMScheduler(rescale_betas_zero_snr=True, timestep_spacing="trailing")
    for num_levels in (None, 10):
        with pytest.raises(UsageError, match="ends in pure noise"):
            trained_levels(scheduler, num_levels)
    assert len(trained_levels(scheduler, 10, "v").schedule) == 10
    # These levels leave out the last one.
    leading = DDPMScheduler(rescale_betas_zero_snr=True, timestep_spacing="leading")
    assert float(trained_levels(leading, 10).schedule.alphas_cumprod[-1]) > 1e-4


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_flow_levels_are_the_schedulers_sigmas(shift):
    theirs = FlowMatchEulerDiscreteScheduler(shift=shift)
    theirs.set_timesteps(12)
    times = theirs.sigmas[:-1].flip(0).double()
    found = trained_levels(FlowMatchEulerDiscreteScheduler(shift=shift), 12)
    assert (found.prediction, found.own) == ("flow", None)
    torch.testing.assert_close(found.schedule.log_snr[:-1], 2 * torch.log((1 - times) / times)[:-1])
    assert len(trained_levels(FlowMatchEulerDiscreteScheduler(shift=shift)).schedule) == 1000


def test_other_schedulers_of_flow_networks():
    solver = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0)
    expected = trained_levels(FlowMatchEulerDiscreteScheduler(shift=3.0), 12).schedule
    assert trained_levels(solver, 12).schedule.same_levels(expected)
    dynamic = trained_levels(FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, base_shift=0.0), 12).schedule
    assert dynamic.same_levels(trained_levels(FlowMatchEulerDiscreteScheduler(), 12).schedule)


@pytest.mark.parametrize(
    ("scheduler", "settings", "message"),
    [
        ("EDMEulerScheduler", {}, "scheduler is EDMEulerScheduler, expected one with betas"),
        ("CMStochasticIterativeScheduler", {}, "says prediction_type 'None', expected one of epsilon"),
        ("FlowMatchEulerDiscreteScheduler", {"invert_sigmas": True}, "has invert_sigmas"),
    ],
)
def test_schedulers_of_other_noise_are_refused(scheduler, settings, message):
    with pytest.raises(UsageError, match=message):
        trained_levels(getattr(diffusers, scheduler)(**settings))


def test_levels_there_are_not():
    with pytest.raises(UsageError, match="num_levels is 2000, expected"):
        trained_levels(DDPMScheduler(), 2000)
    with pytest.raises(UsageError, match="expected one with betas .* network that predicts 'eps'"):
        trained_levels(FlowMatchEulerDiscreteScheduler(), prediction="eps")
