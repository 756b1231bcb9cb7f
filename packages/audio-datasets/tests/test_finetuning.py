"""Fine-tuning of a small wav2vec2 with random weights."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onepaper.optimizer import OptimizerOptions
from onepaper.testing import check_one_line_error, run_verb
from onepaper.training import LoopOptions

transformers = pytest.importorskip("transformers")

from audio_datasets.config import DataConfig, EncoderConfig, FineTuningExperiment  # noqa: E402
from audio_datasets.data.clips import ClipSet  # noqa: E402
from audio_datasets.features.encoders import FrozenEncoder  # noqa: E402
from audio_datasets.finetuning import FineTuned, _padded, fine_tune  # noqa: E402


def experiment(encoder: Path, steps: int = 40, **changed: Any) -> FineTuningExperiment:
    return FineTuningExperiment(
        encoder=encoder,
        optimizer=OptimizerOptions(name="adamw", lr=3e-3),
        loop=LoopOptions(steps=steps, log_every=5, evaluate_every=5),
        **changed,
    )


def test_learns_and_its_encoder_is_read_again(encoder: Path, sounds: ClipSet, tmp_path: Path) -> None:
    config = experiment(encoder)
    tuned = fine_tune(config, clips=sounds)
    assert tuned.choice.scores[0] > 0.6  # chance is 1/3
    folder = tuned.network.save(tmp_path / "encoder", encoder)
    before, after = (FrozenEncoder(path, EncoderConfig()) for path in (encoder, folder))
    samples = sounds.clips[0].read(16_000)
    assert not np.allclose(before(samples), after(samples), atol=1e-2)
    # Embeddings of the saved encoder are what the head was trained on.
    batch = {name: torch.as_tensor(value) for name, value in _padded(after, [after.prepare(samples).numpy()]).items()}
    with torch.inference_mode():
        logits = tuned.network(**batch)[0]
        expected = tuned.network.head(torch.tanh(tuned.network.dense(torch.as_tensor(after(samples)))))
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("frozen", ["convolutions", "encoder"])
def test_what_is_frozen_keeps_its_weights(encoder: Path, sounds: ClipSet, frozen: Any) -> None:
    before = FrozenEncoder(encoder, EncoderConfig()).model.state_dict()
    tuned = fine_tune(experiment(encoder, 2, frozen=frozen), clips=sounds).network.encoder.state_dict()
    changed = {name for name, value in tuned.items() if not torch.equal(value, before[name])}
    assert not [name for name in changed if name.startswith("feature_extractor")]
    assert bool(changed) is (frozen == "convolutions")


def test_padding_changes_nothing_with_a_mask(small_encoder: dict[str, Any], tmp_path: Path) -> None:
    """Encoders that normalise layers, such as the large ones, are given a mask of the samples."""
    torch.manual_seed(0)
    config = transformers.Wav2Vec2Config(**small_encoder, feat_extract_norm="layer", do_stable_layer_norm=True)
    transformers.Wav2Vec2Model(config).save_pretrained(tmp_path)
    source = FrozenEncoder(tmp_path, EncoderConfig())
    model = FineTuned(source, 3).eval()
    waveforms = [np.random.default_rng(index).standard_normal(800 * (index + 1)).astype(np.float32) for index in (0, 3)]
    with torch.inference_mode():
        together, alone = (
            torch.cat(
                [
                    model(**{key: torch.as_tensor(value) for key, value in _padded(source, part).items()})
                    for part in parts
                ]
            )
            for parts in ([waveforms], [[each] for each in waveforms])
        )
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_ratings_and_the_same_seed(encoder: Path, bursts: Path) -> None:
    config = replace(experiment(encoder, 5), data=DataConfig("hume-vocalburst-two", bursts))
    first, second = fine_tune(config, seed=1), fine_tune(config, seed=1)
    assert first.network.head.out_features == 2
    assert first.choice == second.choice


def test_the_verb(encoder: Path, bursts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ("--data.dataset", "hume-vocalburst-type", "--data.root", str(bursts))
    sizes = ("--batch-size", "2", "--loop.steps", "2", "--loop.evaluate-every", "1")
    words = (
        "--preset",
        "paper-fine-tuning",
        "--encoder",
        str(encoder),
        *data,
        *sizes,
        "--output",
        str(tmp_path / "run"),
    )
    assert run_verb("audio-datasets", "train", *words) == 0
    out = capsys.readouterr().out
    assert "on the validation split by seed 0" in out
    folder = tmp_path / "run" / "encoder"
    assert f"--encoder.folders {folder}" in out
    assert FrozenEncoder(folder, EncoderConfig()).size == 16
    assert (tmp_path / "run" / "selection.json").is_file()
    words = ("--preset", "paper-fine-tuning", "--encoder", str(tmp_path), *data, "--output", str(tmp_path / "other"))
    assert run_verb("audio-datasets", "train", *words) == 2
    check_one_line_error(capsys.readouterr().err, "transformers saved with safetensors")
    assert run_verb("audio-datasets", "train", *words, "--compile") == 2
    check_one_line_error(capsys.readouterr().err, "--compile is not for encoders")
