from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onepaper.errors import UsageError
from onepaper.images import image_files, readable_images


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b" / "folder.png").mkdir(parents=True)
    for name in ("z.PNG", "a.jpg", "b/c.gif", "b/.hidden.png", "b/notes.txt"):
        (tmp_path / name).write_bytes(b"no picture")
    for name in ("z.PNG", "b/c.gif"):
        Image.fromarray(np.zeros((3, 4), np.uint8)).save(tmp_path / name)
    return tmp_path


def test_images_of_all_folders_by_path(folder: Path) -> None:
    assert image_files(folder) == [folder / "a.jpg", folder / "b" / "c.gif", folder / "z.PNG"]
    with pytest.raises(UsageError, match="folder.png holds no images; expected files that end in .png, .jpg"):
        image_files(folder / "b" / "folder.png")


def test_images_are_checked_at_the_start(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = image_files(folder)
    with pytest.raises(UsageError, match=r"a.jpg is not a readable image"):
        readable_images(files)
    assert readable_images(files, "skip", size=(2, 2)) == files[1:]
    assert "skipped: 1 of 3 files cannot be read" in capsys.readouterr().err
