import torch

from compose_diffusion.config.reuse import CompositionConfig
from compose_diffusion.data.digits import ink, ink_threshold, load_digits
from compose_diffusion.evaluation.reused_models import ARMS, ReusedModels, composed_attributes, has_attributes


def test_the_evaluators_know_real_images():
    digits = load_digits("evaluator")
    shape, thick = has_attributes(digits.images)
    right = (shape == torch.isin(digits.labels, torch.tensor([3, 5, 8])).double()).double().mean()
    assert right > 0.99
    assert torch.equal(thick, (ink(digits.images) > ink_threshold()).double())


def test_the_shipped_models_meet_on_the_levels_of_the_first():
    models = ReusedModels.from_pretrained(12)
    assert models.thick.schedule is models.shape.schedule
    assert (models.shape.clip_x0, models.shape.event_shape) == (1.0, (1, 8, 8))
    # Asked on other levels, the second is still right about how much signal there is: real images, noised, come back.
    images = load_digits("evaluator").images[:64]
    thick = images[ink(images) > ink_threshold()]
    t, schedule = 3, models.thick.schedule
    alpha_bar = float(schedule.alphas_cumprod[t])
    noise = torch.randn(thick.shape, generator=torch.Generator().manual_seed(0))
    found = models.thick.evaluate(alpha_bar**0.5 * thick + (1 - alpha_bar) ** 0.5 * noise, t).noise
    assert (found - noise).square().mean() < 0.6


def test_arms_share_noise_and_differ_in_what_follows():
    config = CompositionConfig(num_images=4, num_levels=6)
    models = ReusedModels.from_pretrained(6)
    measured, images = composed_attributes(config, 100, models)
    again, _ = composed_attributes(config, 100, models)
    assert measured == again
    assert set(images) == set(ARMS)
    assert measured["reverse/evaluations"] == 6
    assert measured["reverse-finer/evaluations"] == 12
    assert measured["mcmc/evaluations"] > 6
    assert measured["mcmc/both"] <= min(measured["mcmc/shape"], measured["mcmc/thick"])
    assert not torch.equal(images["reverse"], images["shape"])
