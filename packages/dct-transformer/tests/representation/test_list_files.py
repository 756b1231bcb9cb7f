"""Files of lists are read as they were written, and damaged ones are refused in one line."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.display.file_bytes import npz_bytes
from onepaper.errors import OnePaperError, UsageError

from dct_transformer.config import CodecConfig
from dct_transformer.data.images import photographs, resize
from dct_transformer.representation.dct_image import from_pixels
from dct_transformer.representation.list_files import read_list, write_list


def test_round_trip(tmp_path: Path) -> None:
    image = from_pixels(resize(photographs()["coffee"], (50, 70)), CodecConfig(order="channels"))
    triples, layout, tables = read_list(write_list(tmp_path / "list.npz", image, "channels"))
    again = layout.to_image(triples, tables)
    for before, after in zip((*image.planes, *image.tables), (*again.planes, *again.tables), strict=True):
        np.testing.assert_array_equal(before, after)
    assert layout.order == "channels"


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    image = from_pixels(resize(photographs()["coffee"], (16, 16)), CodecConfig())
    content = write_list(tmp_path / "list.npz", image).read_bytes()
    generator, lines = np.random.default_rng(0), []
    path = tmp_path / "damaged.npz"
    for _ in range(200):
        damaged = bytearray(content[: generator.integers(len(content))] if generator.random() < 0.3 else content)
        for _ in range(generator.integers(1, 5)):
            damaged[generator.integers(len(damaged))] = generator.integers(256) if damaged else 0
        path.write_bytes(damaged)
        try:
            triples, layout, _ = read_list(path)
        except OnePaperError as error:
            lines.append(str(error))
        else:
            layout.check(triples)
    assert lines
    assert not any("\n" in line for line in lines)


def test_impossible_sizes_are_refused(tmp_path: Path) -> None:
    arrays = {
        "triples": np.zeros((0, 3), np.uint16),
        "size": np.array([60_000, 60_000]),
        "steps": np.array([[1, 1]]),
        "tables": np.ones((1, 64), int),
        "order": np.array(0),
    }
    path = tmp_path / "list.npz"
    path.write_bytes(npz_bytes(**arrays))
    with pytest.raises(UsageError, match="are not possible"):
        read_list(path)
    path.write_bytes(npz_bytes(triples=arrays["triples"]))
    with pytest.raises(UsageError, match="expected the arrays of a list"):
        read_list(path)
