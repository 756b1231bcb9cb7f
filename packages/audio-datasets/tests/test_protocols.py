"""Tasks on small copies in the published layouts: protocol, blind labels, adaptation."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from onepaper.audio import write_wav
from onepaper.errors import UsageError

from audio_datasets.config import DataConfig, EndToEndConfig
from audio_datasets.models.emo18 import EndToEnd
from audio_datasets.pretrained.networks import Network
from audio_datasets.protocols import Baseline, TaskData, evaluate_features, evaluate_weights, load_task
from audio_datasets.tasks.definitions import BURST_EMOTIONS, SONATA_EMOTIONS, get_task


def heard(data: TaskData) -> np.ndarray:
    """Two features of each clip: the logarithm of its frequency, and noise."""
    generator = np.random.default_rng(0)
    rates = [float(np.abs(np.diff(np.sign(clip.read(16_000)))).mean()) for clip in data.clips]
    return np.column_stack([rates, generator.standard_normal(len(rates))]).astype(np.float32)


@pytest.mark.parametrize("baseline", ["linear", "nearest", "network"])
def test_ratings(bursts: Path, baseline: Baseline) -> None:
    data = load_task(get_task("avb-two"), bursts)
    found = evaluate_features(data, [heard(data)], baseline=baseline)
    assert found.ids == ("00004", "00005", "00006", "00007")
    assert list(found.scores(resamples=20)) == ["mean CCC", "mean CCC (hume2022)", "mean Pearson"]
    assert (found.predicted >= 0).all()
    assert (found.predicted <= 1).all()
    assert found.gain() is None


def test_constant_predictions(bursts: Path) -> None:
    """Their concordance is 0; their correlation is undefined and left out."""
    data = load_task(get_task("avb-two"), bursts)
    scores = evaluate_features(data, [heard(data)], baseline="mean").scores(resamples=20)
    assert list(scores) == ["mean CCC", "mean CCC (hume2022)"]
    assert scores["mean CCC"][0].value == pytest.approx(0, abs=1e-12)


def test_a_blind_split_gives_a_submission(bursts: Path) -> None:
    data = load_task(get_task("avb-type"), bursts)
    found = evaluate_features(data, [heard(data)], split="test", baseline="mean")
    assert found.submission().splitlines()[1] == "[00008],Gasp"
    with pytest.raises(UsageError, match="labels of this split of avb-type are blind"):
        found.scores()


def test_fusion(bursts: Path) -> None:
    """Late fusion of a matrix with itself changes nothing; early fusion joins the columns."""
    data = load_task(get_task("avb-two"), bursts)
    matrix = heard(data)
    one = evaluate_features(data, [matrix], baseline="linear").predicted
    np.testing.assert_allclose(
        evaluate_features(data, [matrix, matrix], baseline="linear", fusion="late").predicted, one
    )
    parts = [matrix[:, :1], matrix[:, 1:]]
    np.testing.assert_allclose(evaluate_features(data, parts, baseline="linear").predicted, one)
    late = [evaluate_features(data, [part], baseline="nearest").predicted for part in parts]
    found = evaluate_features(data, parts, baseline="nearest", fusion="late").predicted
    np.testing.assert_allclose(found, np.mean(late, axis=0))


@pytest.mark.parametrize("baseline", ["linear", "network"])
def test_multitask(exvo: Path, baseline: Baseline) -> None:
    data = load_task(get_task("exvo-multitask"), exvo)
    found = evaluate_features(data, [heard(data)], baseline=baseline)
    assert found.predicted.shape == (8, 12)
    assert set(found.predicted[:, 0]) <= {0, 1, 2, 3}
    scores = found.scores(resamples=20)
    assert list(scores) == ["S_MTL", "mean CCC", "UAR of countries", "MAE of the age"]
    assert scores["mean CCC"][0].value > 0.5 or baseline == "network"
    assert found.submission().splitlines()[0].startswith("File_ID,Country,Age,Awe")


def test_adaptation_of_features_finds_the_offset_of_a_speaker(exvo: Path) -> None:
    data = load_task(get_task("exvo-few-shot"), exvo)
    found = evaluate_features(data, [heard(data)], baseline="linear")
    assert found.ids == ("00010", "00011", "00014", "00015")
    gain = found.gain(resamples=50)
    assert gain is not None
    assert gain.difference.value > 0
    blind = evaluate_features(data, [heard(data)], baseline="linear", split="test")
    assert blind.ids == ("00018", "00019")
    assert blind.truth is None
    assert len(blind.submission().splitlines()) == 3


def test_adaptation_of_a_network(exvo: Path) -> None:
    torch.manual_seed(0)
    data = load_task(get_task("exvo-few-shot"), exvo)
    network = Network(
        EndToEnd(EndToEndConfig(10, "regression", hidden=8, layers=1)).eval(), DataConfig(), BURST_EMOTIONS
    )
    before = [value.clone() for value in network.model.state_dict().values()]
    found = evaluate_weights(data, network)
    assert found.unadapted is not None
    assert not np.allclose(found.predicted, found.unadapted)
    for value, other in zip(network.model.state_dict().values(), before, strict=True):
        assert torch.equal(value, other), "every speaker starts from the trained weights"
    with pytest.raises(UsageError, match="use weights that were trained for it"):
        evaluate_weights(data, network._replace(outputs=("a",)))


def test_sonata_by_a_manifest(tmp_path: Path) -> None:
    """Labels of a manifest take their numbers from the task, not from the alphabet of the copy."""
    lines = ["path,emotion,split"]
    for place, label in enumerate(("triumph", "awe") * 3):
        write_wav(tmp_path / f"{place}.wav", np.full(800, 0.1 * (place % 2 + 1), np.float32), 16_000)
        lines.append(f"{place}.wav,{label},{'train' if place < 4 else 'test'}")
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    data = load_task(get_task("sonata-25"), tmp_path)
    assert [SONATA_EMOTIONS[row] for row in data.truth[:2]] == ["triumph", "awe"]
    with pytest.raises(UsageError, match="has no clips"):
        evaluate_features(data, [np.ones((6, 1), np.float32)], split="test")
    (tmp_path / "manifest.csv").write_text("path,emotion\n0.wav,joy\n")
    with pytest.raises(UsageError, match="has the label 'joy', expected adoration"):
        load_task(get_task("sonata-25"), tmp_path)


def test_refused(bursts: Path) -> None:
    with pytest.raises(UsageError, match="generation_score scores them"):
        load_task(get_task("exvo-generate"), bursts)
    data = load_task(get_task("avb-two"), bursts)
    only_test = replace(data.clips, clips=tuple(clip for clip in data.clips if clip.split != "train"))
    with pytest.raises(UsageError, match="has no clips"):
        evaluate_features(data._replace(clips=only_test), [heard(data)])


def test_official_classes(bursts: Path) -> None:
    """They are numbered by the alphabet, and named alike in a submission."""
    data = load_task(get_task("avb-type"), bursts, strict_official=True)
    assert data.task.classes[:2] == ("Cry", "Gasp")
    assert data.truth[:2].tolist() == [1, 4]
    found = evaluate_features(data, [heard(data)], split="test", baseline="mean")
    assert found.submission().splitlines()[1] == "[00008],Gasp"
