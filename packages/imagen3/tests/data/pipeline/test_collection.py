"""A folder through all stages, and the folder that training reads."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError
from PIL import Image

from imagen3.config import DataConfig, FilterConfig
from imagen3.data.emoji import emoji, emoji_pictures
from imagen3.data.pictures import load_pictures
from imagen3.data.pipeline import collection
from imagen3.data.pipeline.collection import filter_folder, read_words
from imagen3.data.pipeline.records import Record


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty pictures, one of each fault, and two copies of the first picture."""
    folder = tmp_path / "given"
    folder.mkdir()
    concepts = [(own.name, picture) for own, picture in zip(emoji(), emoji_pictures(), strict=True)][::37][:40]
    for number, (name, picture) in enumerate(concepts):
        Image.fromarray(picture).save(folder / f"{number:02d}.png")
        (folder / f"{number:02d}.txt").write_text(name)
    first = Image.fromarray(concepts[0][1])
    first.save(folder / "copy.jpg", quality=60)
    first.resize((128, 128)).save(folder / "large.png")
    for name in ("copy", "large"):
        (folder / f"{name}.txt").write_text("the same")
    (folder / "05.txt").write_text("write to jo@example.org")
    (folder / "06.txt").write_text("a weapon")
    (folder / "07.txt").unlink()
    (folder / "broken.png").write_bytes(b"no picture")
    exif = Image.Exif()
    exif[0x0131] = "Stable Diffusion"
    exif[0x8298] = "J. Doe"
    Image.fromarray(concepts[9][1]).save(folder / "09.png", exif=exif)
    return folder


def test_a_folder(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection, "PART", 8)
    words = tmp_path / "words.txt"
    words.write_text("# weapons\nweapon  # and others\n")
    (folder / "08.synthetic.txt").write_text("one\nto jo@example.org\n\na weapon\n two  words\n")
    files: dict[str, bytes] = {}
    found = filter_folder(FilterConfig(folder, unsafe_words=words), write=files.__setitem__)
    assert found == {
        "records": 43,
        "kept": 36,
        "similar/duplicate": 2,
        "machine-made/declared": 1,
        "privacy/email": 1,
        "words/listed": 1,
        "caption/missing": 1,
        "quality/undecodable": 1,
        "synthetic privacy/email": 1,
        "synthetic words/listed": 1,
    }
    lines = [json.loads(line) for line in files["manifest.jsonl"].decode().splitlines()]
    reasons = {Path(line["file"]).name: line["reasons"] for line in lines}
    # Of the three copies the largest is kept.
    assert reasons["large.png"] == []
    assert reasons["00.png"] == reasons["copy.jpg"] == ["similar/duplicate"]
    assert b"jo@example.org" not in b"".join(files.values())
    kept = tmp_path / "kept"
    kept.mkdir()
    for name, content in files.items():
        (kept / name).write_bytes(content)
    pictures = load_pictures(DataConfig("folder", kept, size=64))
    assert len(pictures.pixels) == 36
    texts = [caption.text for own in pictures.captions for caption in own if not caption.original]
    assert texts == next(line["synthetic"] for line in lines if line["file"].endswith("08.png")) == ["one", "two words"]
    assert filter_folder(FilterConfig(folder, unsafe_words=words)) == found


@pytest.mark.slow
def test_a_worker_of_ray_is_killed(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray repeats the part, which was half done: the files and the manifest are those of one process."""
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # otherwise Ray writes a token into the home folder
    monkeypatch.setattr(collection, "PART", 8)
    mark = tmp_path / "killed"

    def safe(record: Record) -> bool:
        if record.file.name == "12.png" and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return "weapon" not in record.caption

    if "RAY_ADDRESS" not in os.environ:
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=2**27)
    files: dict[str, bytes] = {}
    try:
        found = filter_folder(FilterConfig(folder), safe, files.__setitem__, engine="ray")
        (folder / "00.txt").write_bytes(b"\xff\xfe\xff")
        with pytest.raises(UsageError, match="00.txt is no UTF-8 text"):
            filter_folder(FilterConfig(folder), engine="ray")
    finally:
        ray.shutdown()
    assert mark.exists()
    (folder / "00.txt").write_text(emoji()[0].name)
    expected: dict[str, bytes] = {}
    assert filter_folder(FilterConfig(folder), safe, expected.__setitem__) == found
    assert found["safety/classified"] == 1
    assert files == expected


def test_weights_and_redaction(folder: Path) -> None:
    files: dict[str, bytes] = {}
    config = FilterConfig(folder, similar="weigh", redact=True)
    found = filter_folder(config, safe=lambda record: "weapon" not in record.caption, write=files.__setitem__)
    assert found["similar/weighed"] == 3
    assert found["safety/classified"] == 1
    lines = [json.loads(line) for line in files["manifest.jsonl"].decode().splitlines()]
    weights = {Path(line["file"]).name: line["weight"] for line in lines if line["kept"]}
    assert weights["copy.jpg"] == pytest.approx(weights["01.png"] / 3, rel=1e-4)
    assert any(line.get("caption") == "write to [email]" for line in lines)


def test_wrong_inputs(folder: Path, tmp_path: Path) -> None:
    (folder / "00.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(UsageError, match="00.txt is no UTF-8 text"):
        filter_folder(FilterConfig(folder))
    (folder / "00.txt").write_text("x" * 20_000)
    with pytest.raises(UsageError, match="more than 10,000 bytes"):
        filter_folder(FilterConfig(folder))
    with pytest.raises(UsageError, match="holds no images"):
        filter_folder(FilterConfig(tmp_path / "nothing"))
    with pytest.raises(UsageError, match="is not a file"):
        read_words(tmp_path / "missing.txt")
    assert np.isscalar(len(read_words(None)))
