"""Recorded artifacts: small files whose pixels are those of the figure, verified when they are shown."""

import base64
import io
import wave

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from onepaper.claims import ImageGrid, Note, Plot, Sound, Table
from onepaper.claims import artifacts as module
from onepaper.claims.artifacts import (
    FILE_BYTES,
    copy_artifacts,
    page_part,
    recorded_page_part,
    remove_artifacts,
    write_artifacts,
)


def cloud(points: int = 200) -> Plot:
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    x, y = np.random.default_rng(0).normal(size=(2, points))
    axes.scatter(x, y, c=np.arange(points), s=2)
    axes.set_title("cloud")
    return Plot("A cloud", figure, "caption", clouds=True)


def opened(results, recorded) -> Image.Image:
    return Image.open(results / "figures" / recorded.file)


def test_a_plot_is_a_small_picture_of_itself(tmp_path):
    (recorded,) = write_artifacts(tmp_path, "C5", [cloud()])
    assert recorded.file == "C5-1.png"
    assert (tmp_path / "figures" / recorded.file).stat().st_size <= FILE_BYTES
    part = recorded_page_part(recorded, tmp_path)
    live = page_part(cloud())
    assert (part["kind"], part["caption"]) == ("picture", "caption")
    assert part["width"] == pytest.approx(live["width"], abs=1)
    live_pixels = Image.open(io.BytesIO(base64.b64decode(live["source"].partition(",")[2]))).convert("RGB")
    small = opened(tmp_path, recorded).convert("RGB").resize(live_pixels.size)
    difference = np.abs(np.asarray(small, float) - np.asarray(live_pixels, float)).mean()
    assert difference < 3, "few colours, the same picture"


def test_a_plot_of_many_points_has_fewer_pixels(tmp_path):
    (recorded,) = write_artifacts(tmp_path, "C5", [cloud(20_000)])
    content = (tmp_path / "figures" / recorded.file).read_bytes()
    assert len(content) <= FILE_BYTES
    assert recorded.width == pytest.approx(page_part(cloud(20_000))["width"], abs=2), "shown as large as ever"


def test_a_grid_keeps_its_pixels_and_labels(tmp_path):
    images = np.linspace(0, 1, 32).reshape(2, 4, 4)
    (recorded,) = write_artifacts(tmp_path, "C5", [ImageGrid("Pictures", images, ["one", "two"], 8, 3)])
    pixels = np.asarray(opened(tmp_path, recorded).convert("L"))
    np.testing.assert_array_equal(pixels[1:5, 1:5], np.round(images[0] * 255))
    np.testing.assert_array_equal(pixels[1:5, 6:10], np.round(images[1] * 255))
    assert set(pixels[:, 0]) == set(pixels[:, 5]) == {128}, "a border between pictures"
    assert (recorded.width, recorded.enlarged) == (33, True)
    assert recorded.caption == "Row by row: one, two."


def test_sound_tables_and_notes(tmp_path):
    stereo = np.stack([np.full(10, 2.0), np.full(10, -2.0)], axis=1)
    made = [Sound("s", stereo, 16000), Table("t", ("a", "b"), [("<x>", 0.123456)]), Note("note")]
    sound, table, note = write_artifacts(tmp_path, "X1", made)
    with wave.open(str(tmp_path / "figures" / "X1-1.wav")) as file:
        assert file.getnchannels() == 2
        np.testing.assert_array_equal(np.frombuffer(file.readframes(1), "<i2"), [32767, -32767])
    assert recorded_page_part(sound, tmp_path)["source"].startswith("data:audio/wav;base64,")
    assert table.rows == (("<x>", "0.1235"),)
    assert note.text == "note"


def test_what_is_too_large_becomes_a_line(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).random((400, 400))
    made = [Sound("Long", np.zeros(FILE_BYTES), 8000), ImageGrid("Noise", noise[None].repeat(2, 0) ** 2)]
    long, large = write_artifacts(tmp_path, "C1", made)
    for recorded, title in ((long, "Long"), (large, "Noise")):
        assert recorded.kind == "note"
        assert recorded.text == f"{title}: not recorded, as it has more than 40 kB; measure the claim to see it."
    monkeypatch.setattr(module, "FOLDER_BYTES", 100)
    (recorded,) = write_artifacts(tmp_path, "C1", [cloud()])
    assert "not recorded, as" in recorded.text
    assert not (tmp_path / "figures").exists()


def test_a_figure_that_cannot_be_drawn_loses_no_numbers(tmp_path):
    figure = Figure()
    figure.add_subplot().set_title("$\\nonsense{$")
    (recorded,) = write_artifacts(tmp_path, "C1", [Plot("Broken", figure)])
    assert recorded.text.startswith("Broken cannot be drawn: ValueError")
    assert page_part(Plot("Broken", figure))["text"].startswith("Broken cannot be drawn: ValueError")


def test_a_damaged_or_missing_file_is_named(tmp_path):
    (recorded,) = write_artifacts(tmp_path, "C1", [cloud()])
    path = tmp_path / "figures" / recorded.file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    for _ in range(2):
        part = recorded_page_part(recorded, tmp_path)
        assert part == {
            "kind": "note",
            "text": "A cloud: the file C1-1.png is missing or damaged; record the claim again",
        }
        path.unlink(missing_ok=True)


def test_files_of_one_claim_are_replaced_copied_and_removed(tmp_path):
    here, there = tmp_path / "a", tmp_path / "b"
    write_artifacts(here, "C1", [cloud(), cloud()])
    write_artifacts(here, "C1b", [cloud()])
    write_artifacts(there, "C1", [cloud(), cloud(), cloud()])
    write_artifacts(here, "C1", [cloud()])
    copy_artifacts(here, there, "C1")
    assert sorted(path.name for path in (here / "figures").iterdir()) == ["C1-1.png", "C1b-1.png"]
    assert sorted(path.name for path in (there / "figures").iterdir()) == ["C1-1.png"]
    remove_artifacts(here, "C1")
    assert sorted(path.name for path in (here / "figures").iterdir()) == ["C1b-1.png"]
