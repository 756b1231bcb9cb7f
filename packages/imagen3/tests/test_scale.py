"""Two processes, with DDP and with FSDP2, train what one does; bf16 and compiled models, too, but for rounding."""

from pathlib import Path

import numpy as np
import pytest
import torch
from onepaper.accelerator import AcceleratorOptions
from onepaper.runs import Run
from onepaper.testing import run_processes
from onepaper.torch.accelerator import Accelerator
from onepaper.training import LoopOptions, read_metrics
from torch._dynamo.utils import counters

from imagen3.config import SystemConfig
from imagen3.data.pictures import Pictures
from imagen3.presets import PRESETS
from imagen3.pretrained.systems import System
from imagen3.training.autoencoder import train_autoencoder
from imagen3.training.cache import build_cache
from imagen3.training.denoiser import train_denoiser
from imagen3.training.upsampler import train_upsampler

WORKER = Path(__file__).with_name("scale_worker.py")


def train(processes: int, *trainings: tuple[Path, int, int]) -> None:
    """Train the runs in folders to their steps with their numbers of shards."""
    words = [str(word) for training in trainings for word in training]
    assert run_processes(WORKER, words, processes, timeout=900) == [0] * processes


def logged(folder: Path, name: str) -> list[float]:
    """A quantity of a run's log."""
    return [row[name] for row in read_metrics(folder / "metrics.jsonl") if name in row]


@pytest.mark.slow
def test_processes_equal_one_and_their_runs_continue(tmp_path: Path) -> None:
    train(2, (tmp_path / "ddp", 4, 1), (tmp_path / "fsdp", 4, 2))
    # The sharded checkpoint of two processes, too, goes on in one.
    train(1, *((tmp_path / name, 6, 1) for name in ("alone", "ddp", "fsdp")))
    qualities = {"autoencoder": "psnr", "denoiser": "loss", "upsampler": "loss", "adversarial": "psnr"}
    for part, quality in qualities.items():
        losses, evaluated = (logged(tmp_path / "alone" / part, name) for name in ("loss", f"evaluate/{quality}"))
        assert len(losses) == 6
        better = evaluated[0] - evaluated[-1] if quality == "loss" else evaluated[-1] - evaluated[0]
        assert part == "adversarial" or better > 0
        for name in ("ddp",) if part == "adversarial" else ("ddp", "fsdp"):
            np.testing.assert_allclose(logged(tmp_path / name / part, "loss"), losses, rtol=1e-4)
            for key in (f"evaluate/{quality}", "grad_norm"):
                expected = logged(tmp_path / "alone" / part, key)
                np.testing.assert_allclose(logged(tmp_path / name / part, key), expected, rtol=1e-3)


def trained(folder: Path, config: SystemConfig, system: System, pictures: Pictures, **options: object) -> np.ndarray:
    """The losses of three steps of each training."""
    accelerator = Accelerator(AcceleratorOptions("cpu", threads=1, **options))  # pyright: ignore
    runs = [Run(folder / name, {"config": {}}) for name in ("autoencoder", "denoiser", "upsampler")]
    given = {"loop": LoopOptions(steps=3, log_every=1), "accelerator": accelerator}
    cache = build_cache(system.autoencoder, system.encoder, pictures)
    models = [
        train_autoencoder(config, pictures, runs[0], **given)[0],
        train_denoiser(config, system.autoencoder, cache, pictures, runs[1], **given)[0],
        train_upsampler(PRESETS["sr-smoke"].config, system, pictures, runs[2], **given)[0].denoiser,
    ]
    assert {parameter.dtype for model in models for parameter in model.parameters()} == {torch.float32}
    return np.array([logged(run.folder, "loss") for run in runs])


@pytest.mark.parametrize(
    ("options", "tolerance"),
    [({"precision": "bf16"}, 0.02), pytest.param({"compile": True}, 1e-3, marks=pytest.mark.slow)],
    ids=["bf16", "compiled"],
)
def test_precision_and_compilation(
    options: dict, tolerance: float, config: SystemConfig, system: System, pictures: Pictures, tmp_path: Path
) -> None:
    few = pictures.subset(np.flatnonzero(pictures.selected)[:40])
    expected = trained(tmp_path / "plain", config, system, few)
    found = trained(tmp_path / "other", config, system, few, **options)
    assert found.shape == (3, 3)
    # Few losses of networks whose last layers begin at zero may be equal after compilation.
    assert counters["stats"]["unique_graphs"] > 0 if "compile" in options else not np.array_equal(found, expected)
    np.testing.assert_allclose(found, expected, rtol=tolerance)
