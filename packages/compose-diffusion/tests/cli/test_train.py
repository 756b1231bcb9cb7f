from dataclasses import replace

import pytest
import torch
from onepaper.data import file_sha256, read_sums
from onepaper.errors import OnePaperError, UsageError
from onepaper.paper import Invocation, resolve

from compose_diffusion.cli.options import RECIPES, TrainOptions
from compose_diffusion.cli.train import _share, loop_options, train_verb
from compose_diffusion.config.digits import DigitsConfig
from compose_diffusion.models.digits import DigitModels
from compose_diffusion.paper import PAPER
from compose_diffusion.presets import PRESETS

SMOKE: DigitsConfig = PRESETS["smoke"].config


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
    said = capsys.readouterr().out
    assert "denoiser: stopped at step 1 of 4, weights saved" in said
    assert "classifier: stopped at step 1 of 3, weights saved" in said
    assert "not finished: denoiser, classifier" in said
    DigitModels.from_pretrained(tmp_path / "run")  # what is there can be sampled from
    assert call(options) == 0
    said = capsys.readouterr().out
    assert "denoiser: 4 steps, loss" in said
    assert "classifier: 3 steps, loss" in said
    assert f"--weights {tmp_path / 'run'}" in said
    longer = replace(config, denoiser_fit=replace(config.denoiser_fit, steps=6))
    train_verb(Invocation(PAPER, PAPER.verb("train"), longer, replace(options, resume="require"), "smoke"))
    said = capsys.readouterr().out
    assert f"{tmp_path / 'run'}: denoiser_fit.steps was 4 and is 6\n" in said
    assert "denoiser: 6 steps, loss" in said
    trained, exported = DigitModels.from_pretrained(tmp_path / "run"), DigitModels.from_pretrained(export)
    assert trained.denoiser.config == config.denoiser
    assert torch.equal(trained.classifier.out.weight, exported.classifier.out.weight)
    assert all(file_sha256(export / name) == digest for name, digest in read_sums(export).items())
    with pytest.raises(UsageError, match="another configuration"):
        train_verb(Invocation(PAPER, PAPER.verb("train"), replace(config, label_dropout=0.5), options, "smoke"))


def test_what_cannot_be_exported_is_noticed_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    options = TrainOptions(output=tmp_path / "run", export=tmp_path / "file" / "export")
    with pytest.raises(OnePaperError, match="choose another --export"):
        train_verb(Invocation(PAPER, PAPER.verb("train"), SMOKE, options, "smoke"))
    assert not (tmp_path / "run").exists()


def test_dry_run_writes_nothing(tmp_path, capsys):
    options = TrainOptions(output=tmp_path / "run", dry_run=True)
    assert train_verb(Invocation(PAPER, PAPER.verb("train"), SMOKE, options, "smoke")) == 0
    assert "would train a denoiser on 1201 images for 60 steps" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()


def test_options_of_the_loop():
    loop = loop_options(7, TrainOptions(log_every=2, checkpoint_every=3, resume="restart"), 0.5)
    assert (loop.steps, loop.log_every, loop.evaluate_every, loop.checkpoint_every) == (7, 2, 3, 3)
    assert (loop.max_minutes, loop.resume) == (0.5, "restart")


def test_the_time_is_shared_out_over_the_networks_that_are_left():
    assert _share(0.0, 100.0, 2) == 0.0  # no limit
    assert _share(10.0, 0.0, 2) == 5.0
    assert _share(10.0, 120.0, 1) == 8.0  # what the first one left
    assert 0 < _share(1.0, 1e6, 3) < 1e-6  # over, but not without limit


@pytest.mark.parametrize("kind", RECIPES, ids=lambda kind: kind.__name__)
def test_every_recipe_has_presets_and_networks(kind):
    assert callable(resolve(RECIPES[kind].trainings))
    assert "{folder}" in RECIPES[kind].next_command
    assert any(type(preset.config) is kind for preset in PRESETS.values())
