import pytest
import torch
import torch.nn.functional as F
from onepaper.config import to_dict
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.training import LoopOptions

from compose_diffusion.config.positions import PositionsConfig
from compose_diffusion.data.canvases import training_batches
from compose_diffusion.diffusion import add_noise, make_schedule
from compose_diffusion.models.positions import PositionDenoiser, PositionEnergy, PositionModels, make_network
from compose_diffusion.presets import POSITIONS_PRESETS
from compose_diffusion.training.positions import noise_loss, train_network, trainings

SMOKE: PositionsConfig = POSITIONS_PRESETS["smoke-positions"].config


@pytest.mark.parametrize("form", ["score", "energy"])
def test_loss_is_the_mean_square_error_of_the_noise(form, generator):
    network = getattr(SMOKE, form)
    model, schedule = make_network(network), make_schedule(network.schedule)
    for parameter in model.body.out.parameters():
        torch.nn.init.normal_(parameter, std=0.1, generator=generator)
    batch = training_batches(SMOKE, 4)(0)
    loss_sum, weight = noise_loss(schedule)(model, batch, generator.manual_seed(5))
    generator.manual_seed(5)
    t = torch.randint(100, (4,), generator=generator)
    noise = torch.randn(4, 1, 32, 32, generator=generator)
    x = add_noise(batch["images"], noise, t, schedule).requires_grad_()
    output = model(x, t, batch["positions"])
    predicted = output if form == "score" else torch.autograd.grad(output.sum(), x)[0]
    torch.testing.assert_close(loss_sum / weight, F.mse_loss(predicted, noise))


@pytest.mark.parametrize("form", ["score", "energy"])
def test_training_lowers_the_loss_and_resumes_exactly(form, tmp_path):
    network = getattr(SMOKE, form)

    def train(folder, steps):
        run = Run(folder, {"config": to_dict(SMOKE)})
        return train_network(SMOKE, network, run, LoopOptions(steps=steps, log_every=5, checkpoint_every=10), seed=3)

    whole, fitted = train(tmp_path / "whole", 20)
    assert fitted.finished
    assert fitted.metrics["evaluate/held_out_loss"] < 0.6
    train(tmp_path / "parts", 10)
    resumed, again = train(tmp_path / "parts", 20)
    assert again.metrics["loss"] == fitted.metrics["loss"]
    for name, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value)


def test_trainings_make_what_position_models_read(tmp_path):
    parts = trainings(SMOKE)
    assert [(part.name, part.steps) for part in parts] == [("score", 30), ("energy", 20)]
    assert "1 to 5 digits" in parts[0].description
    for part, kind in zip(parts, (PositionDenoiser, PositionEnergy), strict=True):
        network, fitted = part.fit(None, LoopOptions(steps=2, log_every=1), 0, Accelerator())
        assert isinstance(network, kind)
        assert fitted.step == 2
        network.save_pretrained(tmp_path / part.name)
    assert len(PositionModels.from_pretrained(tmp_path).schedule) == 100
