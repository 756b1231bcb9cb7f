from dataclasses import replace

import pytest
import torch
from diffusers import DDPMPipeline
from onepaper.torch.accelerator import Accelerator
from onepaper.training import LoopOptions

from compose_diffusion.config.networks import FitConfig
from compose_diffusion.config.reuse import REUSE_OPTIMIZER, AttributeConfig, ReuseConfig, UNetConfig
from compose_diffusion.data.digits import attribute_images
from compose_diffusion.pretrained.adapters import from_diffusers
from compose_diffusion.training.reuse import attribute_loss, make_network, make_scheduler, train_attribute, trainings

SMALL = UNetConfig(widths=(8, 8), group_count=4)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
def test_the_loss_asks_for_what_the_scheduler_says(prediction_type):
    """A network that is wrong by one everywhere has loss 1 whatever it is to predict."""
    config = AttributeConfig(prediction_type=prediction_type, beta_schedule="squaredcos_cap_v2")
    scheduler = make_scheduler(config)
    images = attribute_images(config, "model")[:5]

    class Output:
        def __init__(self, sample):
            self.sample = sample

    def knowing(x, t):
        alpha_bar = scheduler.alphas_cumprod[t].reshape(-1, 1, 1, 1)
        noise = (x - alpha_bar.sqrt() * images) / (1 - alpha_bar).sqrt()
        velocity = alpha_bar.sqrt() * noise - (1 - alpha_bar).sqrt() * images
        return Output({"epsilon": noise, "v_prediction": velocity, "sample": images}[prediction_type] + 1)

    loss_sum, count = attribute_loss(scheduler)(knowing, {"images": images}, torch.Generator().manual_seed(0))
    assert count == 5
    assert float(loss_sum) / count == pytest.approx(1.0, abs=0.02)


def test_a_short_training_learns_and_is_saved_as_an_ordinary_pipeline(tmp_path):
    config = replace(
        ReuseConfig().thick,
        network=SMALL,
        fit=FitConfig(30, 32, replace(REUSE_OPTIMIZER, warmup_steps=5)),
    )
    pipeline, fitted = train_attribute(config, None, LoopOptions(30, log_every=10), seed=0)
    again, _ = train_attribute(config, None, LoopOptions(30, log_every=10), seed=0)
    for name, tensor in pipeline.network.state_dict().items():
        assert torch.equal(tensor, again.network.state_dict()[name])
    assert fitted.finished
    assert fitted.metrics["evaluate/held_out_loss"] < 1.2
    pipeline.save_pretrained(tmp_path)
    assert (tmp_path / "unet" / "diffusion_pytorch_model.safetensors").stat().st_mode & 0o777 == 0o644
    read = DDPMPipeline.from_pretrained(tmp_path, use_safetensors=True, local_files_only=True)
    assert read.scheduler.config.prediction_type == "v_prediction"
    x, leaf = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0)), from_diffusers(tmp_path)
    with torch.no_grad():
        velocity = pipeline.network.eval()(x, 300).sample
    alpha_bar = float(read.scheduler.alphas_cumprod[300])
    torch.testing.assert_close(leaf.evaluate(x, 300).noise, alpha_bar**0.5 * velocity + (1 - alpha_bar) ** 0.5 * x)


def test_both_models_for_the_train_verb(tmp_path):
    small = replace(ReuseConfig().shape, network=SMALL, fit=FitConfig(2, 8, replace(REUSE_OPTIMIZER, warmup_steps=1)))
    parts = trainings(ReuseConfig(shape=small))
    assert [(part.name, part.steps) for part in parts] == [("shape", 2), ("thick", ReuseConfig().thick.fit.steps)]
    assert parts[0].description == f"a UNet2DModel (epsilon) on {len(attribute_images(small, 'model'))} images"
    pipeline, fitted = parts[0].fit(None, LoopOptions(2), 0, Accelerator())
    assert fitted.finished
    assert (pipeline.save_pretrained(tmp_path / "shape") / "model_index.json").is_file()


def test_the_network_has_at_most_a_quarter_of_a_million_parameters():
    assert sum(weight.numel() for weight in make_network(UNetConfig()).parameters()) < 250_000


def test_the_scheduler_is_that_of_the_configuration():
    config = AttributeConfig(prediction_type="v_prediction", beta_schedule="squaredcos_cap_v2", num_train_timesteps=50)
    scheduler = make_scheduler(config)
    assert (scheduler.config.prediction_type, len(scheduler.betas)) == ("v_prediction", 50)
