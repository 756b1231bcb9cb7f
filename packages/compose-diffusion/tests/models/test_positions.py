from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from onepaper.data import file_sha256, read_sums
from onepaper.errors import UsageError

from compose_diffusion.config.networks import ScheduleConfig
from compose_diffusion.config.positions import PositionNetworkConfig, PositionsConfig
from compose_diffusion.diffusion import make_schedule
from compose_diffusion.models.positions import (
    SHIPPED_WEIGHTS,
    CanvasUNet,
    PositionDenoiser,
    PositionEnergy,
    PositionModels,
    window_map,
)

SCORE = PositionNetworkConfig("score", width=8, canvas_size=16)
ENERGY = replace(SCORE, form="energy")


def randomised(model):
    """Weights that are nowhere zero, so that every path through the network counts."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def inputs(generator, dtype=torch.float32):
    x = torch.randn(3, 1, 16, 16, generator=generator, dtype=dtype)
    return x, torch.tensor([0, 50, 99]), torch.tensor([[0, 3], [8, 8], [-1, -1]])


def test_window_is_where_the_digit_would_lie():
    shown = window_map(torch.tensor([[3, 5], [-1, -1]]), 16)
    expected = torch.zeros(2, 1, 16, 16)
    expected[0, 0, 5:13, 3:11] = 1
    assert torch.equal(shown, expected)


def test_prediction_is_the_posterior_mean_of_a_gaussian_pixel(generator):
    x, t, position = inputs(generator)
    body = randomised(CanvasUNet(SCORE))
    residual, gain = body(x, t, position)
    abar = make_schedule(SCORE.schedule).alphas_cumprod.float()[t][:, None, None, None]
    guess = (x - residual) / abar.sqrt()
    spread = ((1 - abar).sqrt() / gain - (1 - abar)) / abar
    # E[eps | x] of x = sqrt(abar) x0 + sigma eps with x0 ~ N(guess, spread), by the regression of eps on x.
    covariance, variance = (1 - abar).sqrt(), abar * spread + 1 - abar
    expected = covariance / variance * (x - abar.sqrt() * guess)
    denoiser = PositionDenoiser(SCORE).eval()
    denoiser.body.load_state_dict(body.state_dict())
    torch.testing.assert_close(denoiser(x, t, position)[:2], expected[:2], rtol=1e-3, atol=1e-3)
    assert (spread[:2] > 0).all()


def test_networks_start_near_a_gaussian(generator):
    x, t, position = inputs(generator)
    abar = make_schedule(SCORE.schedule).alphas_cumprod.float()[t][:, None, None, None]
    expected = x * (1 - abar).sqrt() / (1 - abar + abar * F.softplus(torch.tensor(0.0)))
    torch.testing.assert_close(PositionDenoiser(SCORE)(x, t, position), expected)
    torch.testing.assert_close(PositionEnergy(ENERGY).predicted_noise(x, t, position), expected)


def test_energy_is_half_a_squared_distance_and_its_gradient_the_noise(generator):
    model = randomised(PositionEnergy(ENERGY)).double()
    x, t, position = inputs(generator, torch.float64)
    residual, gain = model.body(x, t, position)
    h = x - gain.sqrt() * residual
    torch.testing.assert_close(model(x, t, position), 0.5 * (h - x).square().flatten(1).sum(1))
    with torch.no_grad():
        noise = model.predicted_noise(x, t, position)
    assert not noise.requires_grad
    direction = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    step = 1e-5
    slope = (model(x + step * direction, t, position) - model(x - step * direction, t, position)) / (2 * step)
    torch.testing.assert_close((noise * direction).flatten(1).sum(1), slope, rtol=1e-5, atol=1e-6)


def test_loss_of_the_energy_is_differentiated_twice(generator):
    model = randomised(PositionEnergy(ENERGY)).double()
    x, t, position = inputs(generator, torch.float64)
    weight = model.body.stem.weight

    def loss():
        return model.predicted_noise(x, t, position).square().mean()

    (gradient,) = torch.autograd.grad(loss(), weight)
    place, step = (2, 1, 1, 0), 1e-6
    with torch.no_grad():
        weight[place] += step
        above = loss()
        weight[place] -= 2 * step
        below = loss()
    assert float(gradient[place]) == pytest.approx(float((above - below) / (2 * step)), rel=1e-4)


@pytest.mark.parametrize("kind", [PositionDenoiser, PositionEnergy])
def test_position_matters_and_samples_do_not_mix(kind, generator):
    model = randomised(kind(SCORE if kind is PositionDenoiser else ENERGY))
    x, t, position = inputs(generator)
    whole = model(x, t, position)
    for index in range(3):
        part = model(x[index : index + 1], t[index : index + 1], position[index : index + 1])
        torch.testing.assert_close(part[0], whole[index], rtol=1e-4, atol=1e-4)
    alone = model(x, t)
    torch.testing.assert_close(alone[2], whole[2], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(alone[:2], whole[:2])


def test_saved_networks_come_back_and_keep_their_form(tmp_path):
    for kind, config, other in (
        (PositionDenoiser, SCORE, PositionEnergy),
        (PositionEnergy, ENERGY, PositionDenoiser),
    ):
        model = randomised(kind(config))
        folder = model.save_pretrained(tmp_path / config.form)
        again = kind.from_pretrained(folder)
        assert again.config == config
        for name, value in model.state_dict().items():
            assert torch.equal(again.state_dict()[name], value)
        with pytest.raises(UsageError, match=f"holds the {config.form} form"):
            other.from_pretrained(folder)


def test_networks_that_do_not_belong_together(tmp_path):
    PositionDenoiser(SCORE).save_pretrained(tmp_path / "score")
    PositionEnergy(replace(ENERGY, canvas_size=24)).save_pretrained(tmp_path / "energy")
    with pytest.raises(UsageError, match="canvas_size 16 and an energy with 24"):
        PositionModels.from_pretrained(tmp_path)
    PositionEnergy(replace(ENERGY, schedule=ScheduleConfig(num_levels=7))).save_pretrained(tmp_path / "energy")
    with pytest.raises(UsageError, match="expected equal ones; train both in one run"):
        PositionModels.from_pretrained(tmp_path)
    with pytest.raises(UsageError, match="weights folder .*nowhere does not exist"):
        PositionModels.from_pretrained(tmp_path / "nowhere")


def test_canvases_of_another_size_are_refused():
    with pytest.raises(UsageError, match=r"\(1, 1, 8, 8\), expected \[batch, 1, 16, 16\]"):
        PositionDenoiser(SCORE)(torch.zeros(1, 1, 8, 8), torch.zeros(1, dtype=torch.long))


def test_shipped_weights_are_the_preset_networks_and_small():
    listed = read_sums(SHIPPED_WEIGHTS)
    assert {name: file_sha256(SHIPPED_WEIGHTS / name) for name in listed} == listed
    models, config = PositionModels.from_pretrained(), PositionsConfig()
    assert models.score.config == config.score
    assert models.energy.config == config.energy
    for network in (models.score, models.energy):
        assert sum(parameter.numel() for parameter in network.parameters()) <= 250_000
        assert not any(parameter.requires_grad for parameter in network.parameters())
