"""Files that onepaper wrote, damaged: each reader gives a value or one line. Readers of other people's files have
such tests beside their own.
"""

import dataclasses
import itertools
import json
import logging
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from safetensors.numpy import save_file

from onepaper.checkpoints import Checkpoints, Leaf, check_tree, read_pretrained, write_pretrained
from onepaper.claims.arms import read_arm, write_arm
from onepaper.claims.evidence import Cost
from onepaper.claims.results import read_result
from onepaper.config import from_dict, parse_json
from onepaper.data import extract_archive, read_sums, write_sums
from onepaper.optimizer import OptimizerOptions
from onepaper.runs import Run, read_record
from onepaper.testing.mutations import fuzz
from onepaper.text import open_text, open_tokenizer
from onepaper.training import LoopOptions, read_metrics
from onepaper.training.stages import Stage, run_stages

from .claims import toy_ledger

COUNTS = pytest.mark.parametrize("count", [150, pytest.param(10_000, marks=pytest.mark.slow)])


@dataclasses.dataclass(frozen=True)
class Config:
    loop: LoopOptions = LoopOptions(steps=10)
    optimizer: OptimizerOptions = OptimizerOptions()
    kind: Literal["a", "b"] = "a"
    widths: tuple[int, ...] = (1, 2)
    limits: tuple[float, float] = (0.0, 1.0)
    table: dict[str, float] = dataclasses.field(default_factory=lambda: {"x": 1.0})
    folder: Path | None = Path("x")


def check(read: Callable[[Path], object], path: Path, count: int, valid: bytes | None = None) -> list[object]:
    return fuzz(read, path, [path.read_bytes() if valid is None else valid], count)


@COUNTS
def test_configurations(tmp_path: Path, count: int) -> None:
    def read(path: Path) -> Config:
        return from_dict(Config, parse_json(path.read_bytes(), str(path)), str(path))

    with Run.open(tmp_path, paper="p", verb="v", config=Config()) as run:
        values = json.loads((run.folder / "run.json").read_text())["config"]
    found = check(read, tmp_path / "config.json", count, json.dumps(values).encode())
    assert any(isinstance(config, Config) for config in found)


@COUNTS
def test_records_of_runs(tmp_path: Path, count: int) -> None:
    with Run.open(tmp_path, paper="p", verb="v", config=Config(), options=Config(), seed=3) as run:
        record = read_record(run.folder / "run.json")
    found = check(read_record, tmp_path / "run.json", count)
    # White space and nothing else may differ.
    assert all(isinstance(values, str) or values == record for values in found)


@COUNTS
def test_results(tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    paper = toy_ledger.make(tmp_path, monkeypatch)
    path = toy_ledger.record(paper, paper.ledger[0])
    result = dataclasses.replace(read_result(path), sha256="")

    def read(path: Path) -> object:
        return dataclasses.replace(read_result(path), sha256="")  # results of earlier versions have none

    assert all(isinstance(found, str) or found == result for found in check(read, path, count))


@COUNTS
def test_pretrained_folders(tmp_path: Path, count: int) -> None:
    def write(path: Path) -> None:
        save_file({"weight": np.ones(40)}, path)

    def read(_: Path) -> Config:
        return read_pretrained(tmp_path, Config)[0]

    write_pretrained(tmp_path, Config(), write)
    assert read(tmp_path) == Config()
    assert all(isinstance(config, str) or config == Config() for config in check(read, tmp_path / "config.json", count))
    write_pretrained(tmp_path, Config(), write)
    assert any(isinstance(config, str) for config in check(read, tmp_path / "model.safetensors", 20))


@COUNTS
def test_listings(tmp_path: Path, count: int) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    check(lambda path: read_sums(path.parent), write_sums(tmp_path), count)


@COUNTS
def test_manifests_of_checkpoints(tmp_path: Path, count: int) -> None:
    tree = {"a": Leaf((2,), "float32")}
    checkpoints = Checkpoints(tmp_path, {"config": {"width": 3}, "seed": 1})
    checkpoints.save(5, lambda folder: (folder / "a").write_bytes(b"1234") and tree, {"window": []})
    manifest = checkpoints.manifest(5)

    def read(_: Path) -> object:
        found = checkpoints.verify(5)
        check_tree(tree, found.tree, "x")
        return found

    found = check(read, tmp_path / "step_5" / "manifest.json", count)
    assert all(isinstance(value, str) or value == manifest for value in found)


@COUNTS
def test_metrics(tmp_path: Path, count: int) -> None:
    rows = [{"step": step, "loss": 1.5, "note": None} for step in (1, 2, 3)]
    path = tmp_path / "metrics.jsonl"
    found = check(read_metrics, path, count, "".join(json.dumps(row) + "\n" for row in rows).encode())
    assert all(isinstance(row["step"], int) for rows in found for row in rows)


@COUNTS
def test_arms(tmp_path: Path, count: int) -> None:
    path = tmp_path / "a.npz"
    write_arm(path, {"x": 1.0, "rows": [np.arange(3), np.arange(5)], "text": "a", "by": {"b": b"c"}}, Cost(3.0, 2**20))
    logging.disable(logging.WARNING)
    try:
        found = check(read_arm, path, count)
    finally:
        logging.disable(logging.NOTSET)
    assert None in found


@COUNTS
def test_stages(tmp_path: Path, count: int) -> None:
    def finish(run: Run, _: float) -> bool:
        (run.folder / "made").write_text("x")
        return True

    def run_again(_: Path | None = None) -> object:
        return run_stages(Run(tmp_path, {}), [Stage("one", {"size": 1}, finish, outputs=("made",))])

    run_again()
    check(run_again, tmp_path / "one" / "stage.json", count)


@COUNTS
@pytest.mark.parametrize(
    ("kind", "content"),
    [("characters", "abc äöü"), ("words", "<unk>\nthe\ncat\n<eos>"), ("pieces", "")],
)
def test_vocabularies(tmp_path: Path, count: int, kind: str, content: str) -> None:
    def read(path: Path) -> object:
        tokenizer = open_tokenizer(kind, lambda _: path.read_bytes())
        tokenizer.encode(
            "a" if kind == "characters" and "a" in tokenizer.decode(np.arange(tokenizer.vocab_size)) else ""
        )
        return None

    check(read, tmp_path / "vocabulary", count, content.encode())


@COUNTS
def test_corpora(tmp_path: Path, count: int) -> None:
    def read(path: Path) -> object:
        return [document.read() for part in open_text(path) for document in part]

    check(read, tmp_path / "a.txt", count, ("Ein Satz über Töne. " * 120).encode())


@pytest.mark.parametrize("count", [40, pytest.param(3_000, marks=pytest.mark.slow)])
def test_archives(tmp_path: Path, count: int) -> None:
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/a.txt", "a" * 500)
        archive.writestr("b.bin", b"\0" * 90)
    numbers = itertools.count()

    def read(path: Path) -> object:
        return extract_archive(path, tmp_path / f"out-{next(numbers)}", max_bytes=1_000_000)

    check(read, tmp_path / "a.zip", count, content.getvalue())
