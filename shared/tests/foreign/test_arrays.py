"""Arrays of other people: what numpy writes comes back; a header that declares what the file lacks takes no memory."""

import io
import struct
import zipfile

import numpy as np
import pytest
from numpy.lib import format as npy

from onepaper.errors import OnePaperError, UsageError
from onepaper.foreign.arrays import read_npy, read_npz
from onepaper.testing.mutations import fuzz, read_or_refuse

ARRAYS = {
    "rows": np.arange(6).reshape(2, 3),
    "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "scalar": np.array(3, ">i2"),
    "empty": np.zeros((0, 3)),
    "text": np.array(["a", "bb"]),
    "no width": np.array([""], "U0"),
}


def saved(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def archived(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def header(shape, dtype="<f4", content=b""):
    file = io.BytesIO()
    npy.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue() + content


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_writes_comes_back(tmp_path, save):
    save(tmp_path / "a.npz", **ARRAYS)
    found = read_npz(tmp_path / "a.npz")
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.save(tmp_path / "a.npy", array)
        for got in (found[name], read_npy(tmp_path / "a.npy")):
            assert (got.dtype, got.shape, got.flags.writeable) == (array.dtype, array.shape, True)
            np.testing.assert_array_equal(got, array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (header((2**40,)), r"an array of shape \(1099511627776,\) and type float32 with 0 bytes"),
        (header((2**62, 0)), "an array of shape"),
        (header((-1, -1), content=b"\0\0\0\0"), "an array of shape"),
        (header((1,), content=b"\0" * 5), "with 5 bytes"),
        (header((1,), "|O", b"\0" * 8), "expected numbers"),
        (header((1,), [("a", "|O")], b"\0" * 8), "expected numbers"),
        (b"\x93NUMPY\x04\0\0\0", "format"),
        (b"\x93NUMPY\x02\0" + struct.pack("<I", 2**32 - 1), "is damaged"),
        (b"", "is damaged"),
    ],
)
def test_headers_that_the_file_does_not_keep(tmp_path, content, message):
    import re

    found = read_or_refuse(read_npy, tmp_path / "a.npy", content)
    assert re.search(message, found), found
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("a.npy", content)
    found = read_or_refuse(read_npz, tmp_path / "a.npz", (tmp_path / "b.npz").read_bytes())
    assert re.search(message, found), found


def test_archives_that_declare_other_sizes(tmp_path):
    path = tmp_path / "a.npz"
    content = bytearray(archived(a=np.zeros(4)))
    at = content.rindex(b"PK\x01\x02") + 20  # the sizes in the directory
    content[at : at + 8] = struct.pack("<II", 2**31, 2**31)
    assert "is damaged" in read_or_refuse(read_npz, path, bytes(content))
    file = io.BytesIO()
    np.savez_compressed(file, a=np.zeros(10**6))
    path.write_bytes(file.getvalue())
    with pytest.raises(UsageError, match="a.npz unpacks to 8,000,128 bytes, expected at most 1,000"):
        read_npz(path, max_bytes=1000)
    flipped = bytearray(archived(a=np.zeros(4)))
    flipped[150] ^= 1
    assert "is damaged" in read_or_refuse(read_npz, path, bytes(flipped))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "")
    with pytest.raises(OnePaperError, match="'readme.txt' is no array"):
        read_npz(path)
    with pytest.raises(UsageError, match="b.npz does not exist"):
        read_npz(tmp_path / "b.npz")
    with pytest.raises(UsageError, match="b.npy does not exist"):
        read_npy(tmp_path / "b.npy")


def test_damaged_files(tmp_path):
    fuzz(read_npy, tmp_path / "a.npy", [saved(array) for array in ARRAYS.values()], 150)
    fuzz(read_npz, tmp_path / "a.npz", [archived(**ARRAYS), archived(a=np.zeros(2))], 150)


@pytest.mark.slow
def test_ten_thousand_damaged_files(tmp_path):
    fuzz(read_npy, tmp_path / "a.npy", [saved(array) for array in ARRAYS.values()], 10_000)
    fuzz(read_npz, tmp_path / "a.npz", [archived(**ARRAYS), archived(a=np.zeros(2))], 10_000)
