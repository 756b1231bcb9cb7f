"""Samplers as functions, embedded files, archives that try to escape."""

import io
import os
import re
import tarfile
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onepaper import data
from onepaper.data import SUMS_NAME, forget_sums, read_sums, readable, sums_problems, write_sums
from onepaper.errors import OnePaperError, UsageError


@settings(deadline=None, max_examples=60)
@given(
    length=st.integers(1, 60),
    part=st.integers(1, 9),
    world=st.integers(1, 4),
    seed=st.integers(0, 5),
    steps=st.integers(1, 30),
)
def test_every_epoch_is_a_permutation_and_rank_slices_concatenate(length, part, world, seed, steps):
    whole = data.BatchSampler(length, part * world, seed=seed)
    ranks = [data.BatchSampler(length, part * world, seed=seed, rank=rank, world=world) for rank in range(world)]
    batches = [whole(step) for step in range(steps)]
    for step, batch in enumerate(batches):
        np.testing.assert_array_equal(batch, np.concatenate([rank(step) for rank in ranks]))
    laid_out = np.concatenate(batches)
    for epoch in range(len(laid_out) // length):
        assert sorted(laid_out[epoch * length : (epoch + 1) * length]) == list(range(length))


def test_the_sampler_has_no_state():
    sampler = data.BatchSampler(100, 7, seed=3)
    later = sampler(41)
    for step in (0, 80, 12):
        sampler(step)
    np.testing.assert_array_equal(data.BatchSampler(100, 7, seed=3)(41), later)
    assert not np.array_equal(data.BatchSampler(100, 7, seed=4)(41), later)
    assert list(data.BatchSampler(5, 3, shuffle=False)(1)) == [3, 4, 0]


def test_epochs_are_shuffled_differently():
    epochs = [tuple(data.BatchSampler(50, 50)(epoch)) for epoch in range(4)]
    assert len(set(epochs)) == 4


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(UsageError, match="batch size 7 does not divide over 2 processes"):
        data.BatchSampler(10, 7, world=2)


def test_random_batches_depend_on_seed_and_step_only():
    def make(generator, size):
        return {"x": generator.normal(size=(size, 2)), "pair": (generator.integers(9, size=size), None)}

    whole = data.random_batches(make, 6, seed=1)(4)
    parts = [data.random_batches(make, 6, seed=1, rank=rank, world=2)(4) for rank in range(2)]
    np.testing.assert_array_equal(whole["x"], np.concatenate([part["x"] for part in parts]))
    np.testing.assert_array_equal(whole["pair"][0], np.concatenate([part["pair"][0] for part in parts]))
    assert not np.array_equal(whole["x"], data.random_batches(make, 6, seed=1)(5)["x"])


def test_prefetch_gives_the_same_batches_made_in_other_threads():
    makers = set()

    def batch(step):
        makers.add(threading.current_thread().name)
        if step == 9:
            raise ValueError("broken record")
        return step * step

    with data.Prefetch(batch, ahead=3, workers=2) as batches:
        assert [batches(step) for step in (0, 1, 2, 5, 1)] == [0, 1, 4, 25, 1]
        with pytest.raises(ValueError, match="broken record"):
            batches(9)
    assert threading.current_thread().name not in makers


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "shipping" / "data"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("")
    (folder / "songs.txt").write_text("la la la")
    data.write_sums(folder)
    monkeypatch.syspath_prepend(tmp_path)
    data.embedded.cache_clear()
    yield folder
    data.embedded.cache_clear()


def test_embedded_data_are_verified(package):
    assert data.embedded("shipping", "songs.txt").read_text() == "la la la"
    with pytest.raises(UsageError, match=r"did you mean 'songs\.txt'"):
        data.embedded("shipping", "song.txt")
    data.embedded.cache_clear()
    (package / "songs.txt").write_text("la la LA")
    with pytest.raises(OnePaperError, match="is damaged"):
        data.embedded("shipping", "songs.txt")
    (package / "songs.txt").unlink()
    with pytest.raises(OnePaperError, match="is missing; reinstall shipping"):
        data.embedded("shipping", "songs.txt")
    with pytest.raises(OnePaperError, match="'not_there' is not installed"):
        data.embedded("not_there", "songs.txt")


def test_data_root_names_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.delenv("ONEPAPER_DATA", raising=False)
    with pytest.raises(UsageError, match="set ONEPAPER_DATA"):
        data.data_root("lm1b")
    monkeypatch.setenv("ONEPAPER_DATA", str(tmp_path))
    with pytest.raises(UsageError, match="no such folder"):
        data.data_root("lm1b")
    (tmp_path / "lm1b" / "train").mkdir(parents=True)
    assert data.data_root("lm1b", expected=["train"]) == tmp_path / "lm1b"
    with pytest.raises(UsageError, match=r"lacks test, vocab\.txt"):
        data.data_root("lm1b", tmp_path / "lm1b", expected=["train", "test", "vocab.txt"])


def tar_of(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def test_good_archives_are_unpacked(tmp_path):
    tar = tar_of(
        tmp_path / "good.tar.gz",
        (tarfile.TarInfo("./a/one.txt"), b"one"),
        link("a/two.txt", "one.txt"),
        link("three.txt", "./a/one.txt", tarfile.LNKTYPE),
    )
    folder = data.extract_archive(tar, tmp_path / "out" / "tar")
    assert (folder / "a/two.txt").read_text() == (folder / "three.txt").read_text() == "one"
    assert not (folder / "a/two.txt").is_symlink()
    with zipfile.ZipFile(tmp_path / "good.zip", "w") as file:
        file.writestr("b/c/", "")
        file.writestr("b/d.txt", "deep")
    folder = data.extract_archive(tmp_path / "good.zip", tmp_path / "out" / "zip")
    assert (folder / "b/d.txt").read_text() == "deep"
    assert (folder / "b/c").is_dir()
    with pytest.raises(OnePaperError, match="exists already"):
        data.extract_archive(tar, folder)


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ((tarfile.TarInfo("../evil"), b"x"), "outside the folder"),
        ((tarfile.TarInfo("/tmp/evil"), b"x"), "outside the folder"),
        ((tarfile.TarInfo("a\\..\\evil"), b"x"), "outside the folder"),
        ((tarfile.TarInfo("C:/evil"), b"x"), "outside the folder"),
        (link("passwd", "/etc/passwd"), "link to something outside"),
        (link("up", "../../secret"), "link to something outside"),
        (link("hard", "/etc/passwd", tarfile.LNKTYPE), "link to something outside"),
        (link("loop", "loop"), "link to something outside"),
        (link("null", "", tarfile.CHRTYPE), "a device or a link"),
        ((tarfile.TarInfo("fine"), b"again"), "names one path twice"),
        ((tarfile.TarInfo("big"), b"x" * 2000), "more than 1000 bytes"),
    ],
)
def test_bad_tars_leave_nothing(tmp_path, member, message):
    tar = tar_of(tmp_path / "bad.tar.gz", (tarfile.TarInfo("fine"), b"fine"), member)
    with pytest.raises(OnePaperError, match=message):
        data.extract_archive(tar, tmp_path / "sub" / "out", max_bytes=1000)
    assert os.listdir(tmp_path / "sub") == []


def test_bad_zips_leave_nothing(tmp_path):
    def zip_of(name: str, entry: zipfile.ZipInfo, content: bytes) -> Path:
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("fine", "fine")
            file.writestr(entry, content)
        return tmp_path / name

    symlink = zipfile.ZipInfo("link")
    symlink.external_attr = 0o120777 << 16
    bomb = zip_of("bomb.zip", zipfile.ZipInfo("zeros"), bytes(100_000))
    for archive, message in [
        (zip_of("up.zip", zipfile.ZipInfo("../evil"), b"x"), "outside the folder"),
        (zip_of("link.zip", symlink, b"/etc/passwd"), "holds the link"),
        (bomb, "more than 1000 bytes"),
    ]:
        with pytest.raises(OnePaperError, match=message):
            data.extract_archive(archive, tmp_path / "sub" / "out", max_bytes=1000)
    assert os.listdir(tmp_path / "sub") == []


def test_damaged_and_missing_archives_are_errors(tmp_path):
    tar = tar_of(tmp_path / "cut.tar.gz", (tarfile.TarInfo("noise"), os.urandom(5000)))
    tar.write_bytes(tar.read_bytes()[:2500])
    (tmp_path / "text.zip").write_text("no archive")
    for name in ("cut.tar.gz", "text.zip"):
        with pytest.raises(OnePaperError, match="is damaged"):
            data.extract_archive(tmp_path / name, tmp_path / "out")
    with pytest.raises(OnePaperError, match="No such file"):
        data.extract_archive(tmp_path / "absent.tar", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def odd(number: int) -> None:
    if number % 2 == 0:
        raise UsageError(f"{number} is even")


def test_all_readable_files_are_kept_in_order() -> None:
    assert readable([5, 3, 1], odd) == [5, 3, 1]
    assert readable([], odd) == []


def test_an_error_counts_the_unreadable_and_names_the_first() -> None:
    with pytest.raises(UsageError, match="^2 is even$"):
        readable([1, 2, 3], odd)
    whole = "4 of 5 files cannot be read: 2 is even | 4 is even | 6 is even | and 1 more; repair or remove them"
    with pytest.raises(UsageError, match=f"^{re.escape(whole)}$"):
        readable([2, 1, 4, 6, 8], odd)


def test_skipped_ones_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert readable([4, 3, 2, 1], odd, "skip") == [3, 1]
    assert capsys.readouterr().err == "skipped: 2 of 4 files cannot be read: 4 is even | 2 is even\n"
    with pytest.raises(UsageError, match="2 of 2 files cannot be read.*give files that can be read"):
        readable([2, 4], odd, "skip")
    with pytest.raises(UsageError, match="unreadable"):
        readable([1], odd, "ignore")


def test_other_errors_are_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        readable([0], lambda number: 1 / number)


@pytest.mark.parametrize("line", [b"\xff", b"short  a.txt", b"0" * 64 + b" a.txt", b"0" * 64 + b"  "])
def test_a_damaged_listing_is_one_line(tmp_path, line):
    (tmp_path / SUMS_NAME).write_bytes(line + b"\n")
    with pytest.raises(OnePaperError, match="^[^\n]*SHA256SUMS is damaged[^\n]*$"):
        read_sums(tmp_path)


def test_files_are_compared_with_the_listing_above_them(tmp_path):
    part = tmp_path / "model" / "part"
    part.mkdir(parents=True)
    for path in (part / "a", part / "b", tmp_path / "model" / "c"):
        path.write_text(path.name)
    write_sums(tmp_path / "model")
    assert list(sums_problems(part)) == []
    (part / "a").write_text("x")
    (part / "b").unlink()
    (tmp_path / "model" / "c").write_text("x")
    (part / "unlisted").write_text("x")
    problems = list(sums_problems(part))
    assert [problem.split(":")[0].split(",")[0] for problem in problems] == [
        f"{part / 'a'} is damaged",
        f"{part / 'b'} is missing",
    ]
    assert len(list(sums_problems(part, without=["a"]))) == 1
    assert len(list(sums_problems(tmp_path / "model"))) == 3
    forget_sums(part)
    assert list(read_sums(tmp_path / "model")) == ["c"]
    forget_sums(tmp_path / "model")
    assert not (tmp_path / "model" / SUMS_NAME).exists()
