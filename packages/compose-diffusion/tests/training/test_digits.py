import json

import torch
import torch.nn.functional as F
from onepaper.accelerator import AcceleratorOptions
from onepaper.config import to_dict
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.training import LoopOptions

from compose_diffusion.config.digits import DenoiserConfig, DigitsConfig
from compose_diffusion.data.digits import Digits
from compose_diffusion.diffusion import add_noise, make_schedule
from compose_diffusion.models.digits import Denoiser, NoisyClassifier
from compose_diffusion.presets import PRESETS
from compose_diffusion.training.digits import (
    denoiser_loss,
    train_classifier,
    train_denoiser,
    trainings,
    withhold_labels,
)

SMOKE: DigitsConfig = PRESETS["smoke"].config


def run_in(folder):
    return Run(folder, {"config": to_dict(SMOKE)})


def rows_of(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def loop_options(steps):
    return LoopOptions(steps=steps, log_every=10, evaluate_every=20, checkpoint_every=20)


def test_withheld_labels(generator):
    labels = torch.arange(10_000) % 10
    shown = withhold_labels(labels, 10, 0.2, generator)
    assert abs(float((shown == 10).double().mean()) - 0.2) < 0.02
    assert torch.equal(shown[shown != 10], labels[shown != 10])
    assert torch.equal(withhold_labels(labels, 10, 0.0, generator), labels)


def test_denoiser_loss_is_the_mean_square_error_of_the_noise(generator):
    config = DenoiserConfig(width=8, dropout=0.0)
    model, schedule = Denoiser(config), make_schedule(config.schedule)
    torch.nn.init.normal_(model.out.weight, std=0.1, generator=generator)
    batch = {"images": torch.randn(6, 1, 8, 8, generator=generator), "condition": torch.arange(6)}
    loss_sum, weight = denoiser_loss(schedule, 0.0)(model, batch, generator.manual_seed(5))
    generator.manual_seed(5)
    t = torch.randint(100, (6,), generator=generator)
    noise = torch.randn(6, 1, 8, 8, generator=generator)
    noised = add_noise(batch["images"], noise, t, schedule)
    torch.testing.assert_close(loss_sum / weight, F.mse_loss(model(noised, t, batch["condition"]), noise))


def test_training_lowers_the_loss_and_resumes_exactly(tmp_path):
    whole, fitted = train_denoiser(SMOKE, run_in(tmp_path / "whole"), loop_options(40), seed=3)
    assert fitted.finished
    rows = rows_of(tmp_path / "whole")
    assert rows[-1]["loss"] < 0.8 * rows[0]["loss"]
    assert rows[-1]["evaluate/held_out_loss"] < rows[1]["evaluate/held_out_loss"]

    train_denoiser(SMOKE, run_in(tmp_path / "parts"), loop_options(15), seed=3)
    parts, _ = train_denoiser(SMOKE, run_in(tmp_path / "parts"), loop_options(40), seed=3)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[name], value, rtol=0, atol=0, msg=name)
    other, _ = train_denoiser(SMOKE, None, loop_options(2), seed=4)
    assert not torch.equal(other.stem.weight, whole.stem.weight)


def test_the_averaged_classifier_comes_back_in_evaluation_mode():
    model, fitted = train_classifier(SMOKE, None, loop_options(3))
    assert not model.training
    assert not torch.equal(model.stem.weight, fitted.state.model.stem.weight)
    torch.testing.assert_close(model.stem.weight, fitted.state.ema["stem.weight"], rtol=0, atol=0)


def test_trainings_are_the_two_networks():
    denoiser, classifier = trainings(SMOKE)
    assert (denoiser.name, denoiser.steps, denoiser.description) == ("denoiser", 60, "a denoiser on 1201 images")
    assert (classifier.name, classifier.steps) == ("classifier", 30)
    accelerator = Accelerator(AcceleratorOptions(device="cpu"))
    model, fitted = denoiser.fit(None, loop_options(2), 3, accelerator)
    expected, _ = train_denoiser(SMOKE, None, loop_options(2), seed=3, accelerator=accelerator)
    assert fitted.step == 2
    torch.testing.assert_close(model.stem.weight, expected.stem.weight, rtol=0, atol=0)
    assert isinstance(classifier.fit(None, loop_options(1), 3, accelerator)[0], NoisyClassifier)


def test_own_images_and_hooks(tmp_path):
    rng = torch.Generator().manual_seed(0)
    own = Digits(torch.rand(64, 1, 8, 8, generator=rng) * 2 - 1, torch.arange(64) % 10)
    steps = []
    model, _ = train_denoiser(
        SMOKE, None, loop_options(20), digits=own, held_out=own, hooks=[lambda step, state, row: steps.append(step)]
    )
    other, _ = train_denoiser(SMOKE, None, loop_options(20))
    assert steps == [10, 20]
    assert not torch.equal(model.out.weight, other.out.weight)
