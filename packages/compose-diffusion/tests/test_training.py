import json
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from onepaper.config import to_dict
from onepaper.data import file_sha256, read_sums
from onepaper.errors import UsageError
from onepaper.paper import Invocation
from onepaper.runs import Run

from compose_diffusion.config import PRESETS, TrainOptions
from compose_diffusion.diffusion import add_noise, make_schedule
from compose_diffusion.digits.config import DenoiserConfig, DigitsConfig
from compose_diffusion.digits.model import Denoiser, DigitModels, NoisyClassifier
from compose_diffusion.digits.training import (
    classifier_loss,
    denoiser_loss,
    train_classifier,
    train_denoiser,
    withhold_labels,
)
from compose_diffusion.paper import PAPER
from compose_diffusion.training import loop_options, train_verb

SMOKE: DigitsConfig = PRESETS["smoke"].config


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def run_in(folder):
    return Run(folder, {"config": to_dict(SMOKE)})


def rows_of(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


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
    batch = {"images": torch.randn(6, 1, 8, 8, generator=generator), "labels": torch.arange(6)}
    loss_sum, weight = denoiser_loss(schedule, 0.0)(model, batch, generator.manual_seed(5))
    generator.manual_seed(5)
    t = torch.randint(100, (6,), generator=generator)
    noise = torch.randn(6, 1, 8, 8, generator=generator)
    noised = add_noise(batch["images"], noise, t, schedule)
    torch.testing.assert_close(loss_sum / weight, F.mse_loss(model(noised, t, batch["labels"]), noise))


def test_classifier_loss_at_the_start(generator):
    model = NoisyClassifier(SMOKE.classifier)
    torch.nn.init.zeros_(model.out.weight)
    torch.nn.init.zeros_(model.out.bias)
    batch = {"images": torch.randn(5, 1, 8, 8, generator=generator), "labels": torch.tensor([0, 0, 1, 2, 3])}
    loss_sum, weight, more = classifier_loss(make_schedule(SMOKE.classifier.schedule))(model, batch, generator)
    torch.testing.assert_close(loss_sum / weight, torch.tensor(10.0).log())
    assert int(more["accuracy"]) == 2


def test_training_lowers_the_loss_and_resumes_exactly(tmp_path):
    options = TrainOptions(log_every=10, checkpoint_every=20)
    whole, fitted = train_denoiser(SMOKE, run_in(tmp_path / "whole"), loop_options(40, options), seed=3)
    assert fitted.finished
    rows = rows_of(tmp_path / "whole")
    assert rows[-1]["loss"] < 0.8 * rows[0]["loss"]
    assert rows[-1]["evaluate/held_out_loss"] < rows[1]["evaluate/held_out_loss"]

    train_denoiser(SMOKE, run_in(tmp_path / "parts"), loop_options(15, options), seed=3)
    parts, _ = train_denoiser(SMOKE, run_in(tmp_path / "parts"), loop_options(40, options), seed=3)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[name], value, rtol=0, atol=0, msg=name)
    other, _ = train_denoiser(SMOKE, None, loop_options(2, options), seed=4)
    assert not torch.equal(other.stem.weight, whole.stem.weight)


def test_the_averaged_classifier_comes_back_in_evaluation_mode():
    model, fitted = train_classifier(SMOKE, None, loop_options(3, TrainOptions()))
    assert not model.training
    assert not torch.equal(model.stem.weight, fitted.state.model.stem.weight)
    torch.testing.assert_close(model.stem.weight, fitted.state.ema["stem.weight"], rtol=0, atol=0)


def test_verb_trains_both_networks_resumes_and_exports(tmp_path, capsys):
    config = replace(
        SMOKE,
        denoiser_fit=replace(SMOKE.denoiser_fit, steps=4),
        classifier_fit=replace(SMOKE.classifier_fit, steps=3),
    )

    def call(options):
        return train_verb(Invocation(PAPER, PAPER.verb("train"), config, options, "smoke"))

    export = tmp_path / "export"
    options = TrainOptions(output=tmp_path / "run", device="cpu", threads=1, export=export)
    assert call(replace(options, max_minutes=1e-9)) == 0
    assert "denoiser: stopped at step 1 of 4" in capsys.readouterr().out
    assert call(options) == 0
    said = capsys.readouterr().out
    assert "denoiser: 4 steps, loss" in said
    assert "classifier: 3 steps, loss" in said
    assert f"--weights {tmp_path / 'run'}" in said
    trained, exported = DigitModels.from_pretrained(tmp_path / "run"), DigitModels.from_pretrained(export)
    assert trained.denoiser.config == config.denoiser
    assert torch.equal(trained.classifier.out.weight, exported.classifier.out.weight)
    assert all(file_sha256(export / name) == digest for name, digest in read_sums(export).items())
    with pytest.raises(UsageError, match="another configuration"):
        train_verb(Invocation(PAPER, PAPER.verb("train"), replace(config, label_dropout=0.5), options, "smoke"))


def test_dry_run_writes_nothing(tmp_path, capsys):
    options = TrainOptions(output=tmp_path / "run", dry_run=True)
    assert train_verb(Invocation(PAPER, PAPER.verb("train"), SMOKE, options, "smoke")) == 0
    assert "would train a denoiser for 60 steps" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()
