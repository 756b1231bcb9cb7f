"""Pickles of other people: what numpy, JAX and dill write comes back, and nothing that a pickle can do is done."""

import os
import pickle
import struct

import ml_dtypes
import numpy as np
import pytest

from onepaper.errors import OnePaperError, UsageError
from onepaper.foreign import pickles
from onepaper.foreign.pickles import NUMPY, SKIPPED, read_pickle
from onepaper.testing.mutations import fuzz, read_or_refuse

VALUE = {
    "rows": np.arange(6.0).reshape(2, 3),
    "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "big-endian": np.arange(3, dtype=">i4"),
    "half": np.ones(3, ml_dtypes.bfloat16),
    "complex": np.array(1 + 2j),
    "flags": np.array([True]),
    "empty": np.zeros((0, 3)),
    "scalar": np.float32(0.1),
    "plain": [1, (2, 3.5, None, True), b"x\xff", "\u1234\ud800", 2**100, -5, {}, {"a": {1: []}}],
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_come_back(tmp_path, protocol):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(VALUE, protocol))
    found = read_pickle(tmp_path / "a.pkl")
    assert found.keys() == VALUE.keys()
    for name, value in VALUE.items():
        if name == "plain":
            assert found[name] == value
        else:
            assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape)
            np.testing.assert_array_equal(found[name], value)


def name(module, attribute):
    return f"c{module}\n{attribute}\n".encode()


def text(value):
    return b"\x8c" + bytes([len(value)]) + value.encode()


DTYPE = (
    name("numpy", "dtype")
    + b"("
    + text("f4")
    + b"\x89\x88tR(K\x03"
    + text("<")
    + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
)
ARRAY = name("numpy.core.multiarray", "_reconstruct") + b"(" + name("numpy", "ndarray") + b"K\x00\x85C\x01btR"


def array(shape=b"K\x01\x85", dtype=DTYPE, content=b"C\x04\0\0\0\0"):
    return ARRAY + b"(K\x01" + shape + dtype + b"\x89" + content + b"tb."


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("made",)


ATTACKS = {
    "a key of the memo that takes 4.9 GB": (b"Nr\xff\xff\xff\x12.", None),
    "bytes of a declared size": (b"\x8e" + struct.pack("<Q", 5_000_000_000) + b".", "expected 5000000000 bytes"),
    "a bytearray of a declared size": (b"\x96" + struct.pack("<Q", 5_000_000_000) + b".", "5000000000"),
    "text of a declared size": (b"X" + struct.pack("<I", 2**32 - 1) + b".", "expected 4294967295 bytes"),
    "a long number": (b"I" + b"9" * 100_000 + b"\n.", "integer string conversion"),
    "a function": (pickle.dumps(Harmful()), "mkdir', expected only arrays and plain containers; be careful"),
    "an attribute of an admitted name": (
        text("numpy") + text("ndarray.dump") + b"\x93.", "refers to 'numpy.ndarray.dump'"),
    "numpy.ndarray with a buffer": (
        name("numpy", "ndarray") + b"(K\x01\x85" + DTYPE + b"C\x08AAAAAAAAtR.", "_Array"),
    "a dtype of objects": (array(dtype=DTYPE.replace(b"f4", b"O8"), content=b"C\x08AAAAAAAA"), "type O8, expected num"),
    "a dtype with a field of objects": (
        array(dtype=DTYPE[:-27] + b"(K\x03" + text("<") + b"N" + text("a") + b"\x85}" + text("a") + b"K\x01s"
              b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"), "structured or unknown type|is damaged"),
    "a shape beyond the content": (array(b"\x8a\x06\0\0\0\0\0\x01\x85"), "with 4 bytes"),
    "a negative shape": (array(b"J\xff\xff\xff\xff\x85"), "an array of shape"),
    "a shape of flags": (array(b"\x88\x85"), "an array of shape"),
    "a state twice": (array()[:-1] + b"Nb.", "a state of ndarray"),
    "tuples as keys": (b"}" + b"N" + b"\x85" * 1000 + b"Ns.", "the key tuple"),
    "an extension": (b"\x82\x01.", "operation EXT1"),
    "an instance": (b"(i" + b"os\nmkdir\n.", "operation INST"),
    "a persistent name": (b"Pa\n.", "operation PERSID"),
    "a call of a number": (b"K\x01)R.", "a call of 1"),
    "a reference to nothing": (b"h\x05.", "a reference to nothing"),
    "an operation without a value": (b"0.", "is damaged"),
    "a mark as a value": (b"(\x85.", "an operation without a value"),
    "a list that grows into a tuple": (b")Na.", "an item of tuple"),
    "no end": (b"N", "is damaged"),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks(tmp_path, monkeypatch, attack):
    monkeypatch.chdir(tmp_path)
    content, message = ATTACKS[attack]
    found = read_or_refuse(lambda path: read_pickle(path, advice="be careful"), tmp_path / "a.pkl", content)
    if message is None:
        assert found is None
    elif attack == "numpy.ndarray with a buffer":
        assert not isinstance(found, np.ndarray), "an array without content"
    else:
        assert isinstance(found, str)
        assert any(part in found for part in message.split("|")), found
    assert not (tmp_path / "made").exists()


def test_encoding_one_text_again_and_again_is_limited(tmp_path):
    encode = name("_codecs", "encode")
    content = text("a" * 200) + b"q\x01" + (encode + b"h\x01\x85R") * 100 + b"."
    assert read_or_refuse(read_pickle, tmp_path / "a.pkl", content * 1).endswith("copy it again")


def test_deep_nesting_is_no_recursion(tmp_path):
    depth = 200_000
    (tmp_path / "a.pkl").write_bytes(b"N" + b"\x85" * depth + b".")
    found = read_pickle(tmp_path / "a.pkl")
    for _ in range(depth):
        (found,) = found
    assert found is None


def test_the_number_of_operations_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(pickles, "LARGEST_PROGRAM", 1000)
    (tmp_path / "a.pkl").write_bytes(b"]" * 2000 + b".")
    with pytest.raises(OnePaperError, match="a.pkl is damaged or no file of arrays .more than 1000 operations.; copy"):
        read_pickle(tmp_path / "a.pkl")


class Other:
    pass


def test_objects_of_skipped_packages(tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({"state": [Other()], "x": np.ones(2)}))
    with pytest.raises(UsageError, match="a.pkl refers to '.*Other', expected only arrays and plain containers$"):
        read_pickle(path)
    found = read_pickle(path, NUMPY, skipped=[Other.__module__.split(".")[0]])
    assert found["state"] == [SKIPPED]
    np.testing.assert_array_equal(found["x"], np.ones(2))
    with pytest.raises(UsageError, match="none.pkl does not exist, expected a file"):
        read_pickle(tmp_path / "none.pkl")
    path.write_bytes(b"")
    with pytest.raises(OnePaperError, match="a.pkl is damaged or no file of arrays"):
        read_pickle(path)


VALID = [pickle.dumps(VALUE, protocol) for protocol in (0, 2, 4, 5)] + [content for content, _ in ATTACKS.values()]


def test_damaged_files(tmp_path):
    fuzz(read_pickle, tmp_path / "a.pkl", VALID, 300)


@pytest.mark.slow
def test_ten_thousand_damaged_files(tmp_path):
    fuzz(read_pickle, tmp_path / "a.pkl", VALID, 10_000)
