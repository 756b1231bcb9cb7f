"""Training learns what is easy to hear, resumes to the same bits, and refuses data that do not fit."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from onepaper.errors import UsageError
from onepaper.optimizer import OptimizerOptions
from onepaper.runs import Run
from onepaper.training import LoopOptions

from audio_datasets.config import DataConfig, EndToEndConfig, EndToEndExperiment, FeaturesExperiment
from audio_datasets.data.clips import ClipSet
from audio_datasets.pretrained.networks import Network
from audio_datasets.training import (
    evaluate_network,
    features_of,
    load_checked,
    predict,
    score,
    train_end_to_end,
    train_on_features,
)


@pytest.fixture
def manifest(sounds: ClipSet, tmp_path: Path) -> Path:
    """The synthetic sounds as a manifest beside their files."""
    rows = [f"{clip.path.name},{clip.speaker},{clip.label},{clip.split}" for clip in sounds]
    path = sounds.clips[0].path.with_name("manifest.csv")
    path.write_text("path,speaker,label,split\n" + "\n".join(rows) + "\n")
    return path


def experiment(manifest: Path, steps: int) -> EndToEndExperiment:
    return EndToEndExperiment(
        DataConfig("manifest", manifest),
        EndToEndConfig(3, hidden=8, layers=1),
        optimizer=OptimizerOptions(name="adam", lr=3e-3),
        loop=LoopOptions(steps=steps, log_every=5, checkpoint_every=5),
    )


def test_end_to_end_learns_and_resumes(manifest: Path, sounds: ClipSet, tmp_path: Path) -> None:
    config = experiment(manifest, 12)
    with Run.open(tmp_path / "whole", paper="audio-datasets", verb="train", config=config) as run:
        whole, _ = train_end_to_end(config, run, seed=3)
    logged: list[int] = []
    for part in (replace(config, loop=replace(config.loop, max_minutes=1e-9)), config):
        with Run.open(tmp_path / "parts", paper="audio-datasets", verb="train", config=config) as run:
            resumed, _ = train_end_to_end(
                part, run, seed=3, clips=sounds, hooks=[lambda step, state, row: logged.append(step)]
            )
    assert logged[-1] == 12
    for first, second in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(first, second)
    network = Network(whole, config.data, ("high", "low", "noise"))
    found = evaluate_network(network, sounds.split("test"))
    assert found.scores(resamples=20)["UAR"][0].value > 0.6
    with pytest.raises(UsageError, match="use weights that were trained on it"):
        evaluate_network(Network(whole, config.data, ("a", "b", "c")), sounds)


def test_features_learn(manifest: Path, sounds: ClipSet) -> None:
    config = FeaturesExperiment(DataConfig("manifest", manifest), loop=LoopOptions(steps=60))
    model = train_on_features(config)
    test = sounds.split("test")
    assert score(model.predict(features_of(test, config)), test.labels(), "classes") > 0.9


def test_ratings(bursts: Path) -> None:
    data = DataConfig("hume-vocalburst-two", bursts)
    config = FeaturesExperiment(data, loop=LoopOptions(steps=5))
    assert train_on_features(config).network.config.outputs == 2
    with pytest.raises(UsageError, match=r"has 2 of kind regression; set --model.outputs"):
        load_checked(EndToEndExperiment(data, EndToEndConfig(2, "classes")))


def test_chunks_do_not_change_predictions(sounds: ClipSet, monkeypatch: pytest.MonkeyPatch) -> None:
    from audio_datasets import training
    from audio_datasets.models.emo18 import EndToEnd

    model = EndToEnd(EndToEndConfig(3, hidden=8, layers=1)).eval()
    waveforms = [clip.read(16_000) for clip in sounds.clips[:5]]
    whole = predict(model, waveforms)
    monkeypatch.setattr(training, "_CHUNK", 2)
    np.testing.assert_allclose(predict(model, waveforms), whole, atol=1e-5)
