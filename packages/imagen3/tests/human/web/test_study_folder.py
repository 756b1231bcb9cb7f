"""Studies in folders, and their pictures as raters get them."""

import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError
from PIL import Image

from imagen3.human.web.study_folder import PictureStore, Study, encode_picture, read_study


def test_studies(study_folder: Path) -> None:
    study = read_study(study_folder, ("overall", "counting"))
    assert study.models == ("alpha", "beta", "gamma")
    assert study.studies == (
        *(Study("overall", *pair) for pair in ((0, 1), (0, 2), (1, 2))),
        *(Study("counting", model, None) for model in range(3)),
    )
    assert len(study.files) == 3
    assert len(read_study(study_folder, ("detail",)).files) == 4


def test_digest_changes_with_what_raters_see(study_folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(study_folder, tmp_path / "study"))
    first = read_study(copy, ("overall",)).digest(64)
    assert first == read_study(study_folder, ("overall",)).digest(64)
    assert first != read_study(copy, ("overall",)).digest(65)
    Image.new("RGB", (4, 4)).save(copy / "alpha" / "p1.png")
    assert first != read_study(copy, ("overall",)).digest(64)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (b"prompt_id,prompt\n", "holds no rows"),
        (b"prompt_id,prompt,mood\n", "unknown column 'mood'"),
        (b"prompt_id,prompt\na,one\na,two\n", "line 3: prompt_id 'a' is there twice"),
        (b"prompt_id,prompt\n../a,one\n", "expected the name of a file"),
        (b"prompt_id,prompt\na," + b"x" * 10_001, "the prompt has 10,001 characters"),
        (b"prompt_id,prompt\nnew,one\n", "lacks the pictures of 1 prompts, such as 'new'"),
    ],
)
def test_wrong_tables(table: bytes, expected: str, study_folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(study_folder, tmp_path / "study"))
    (copy / "prompts.csv").write_bytes(table)
    with pytest.raises(UsageError, match=expected):
        read_study(copy, ("overall",))


def test_wrong_folders(study_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        read_study(tmp_path / "nothing", ("overall",))
    with pytest.raises(UsageError, match="expected one or more different ones"):
        read_study(study_folder, ("overall", "overall"))
    with pytest.raises(UsageError, match="unknown aspect"):
        read_study(study_folder, ("looks",))
    copy = Path(shutil.copytree(study_folder, tmp_path / "study"))
    shutil.copy(copy / "alpha" / "p0.png", copy / "alpha" / "p0.jpeg")
    with pytest.raises(UsageError, match=r"several pictures of one prompt: p0.jpeg, p0.png"):
        read_study(copy, ("overall",))
    shutil.rmtree(copy / "alpha")
    shutil.rmtree(copy / "references")
    with pytest.raises(UsageError, match="references lacks the pictures"):
        read_study(copy, ("detail",))
    shutil.rmtree(copy / "beta")
    with pytest.raises(UsageError, match="1 folders of models, expected at least 2"):
        read_study(copy, ("overall",))
    (copy / "prompts.csv").write_text("prompt_id,prompt\np0,one\n")
    with pytest.raises(UsageError, match="noun is empty"):
        read_study(copy, ("counting",))


def test_pictures_are_alike_in_all_but_content(pictures_folder: Path) -> None:
    store = PictureStore(pictures_folder)
    files = [store.read(source, prompt) for source in range(4) for prompt in range(8)]
    assert len({len(file) for file in files}) == 1
    for file in files:
        assert b"made by" not in file
        with Image.open(BytesIO(file)) as picture:
            assert (picture.format, picture.size, picture.mode) == ("JPEG", (64, 64), "RGB")
            assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
            picture.load()


def test_content_is_kept(study_folder: Path) -> None:
    with Image.open(BytesIO(encode_picture(study_folder / "beta" / "p0.jpg", 40))) as picture:
        encoded = np.asarray(picture).astype(int)
    with Image.open(study_folder / "beta" / "p0.jpg") as original:
        assert np.abs(encoded - np.asarray(original).astype(int)).mean() < 3
