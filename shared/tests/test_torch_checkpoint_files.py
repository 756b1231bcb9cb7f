"""Files of `torch.save`: tensors as torch itself reads them, and no memory or trust for what a file only declares."""

import io
import json
import struct
import zipfile

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from safetensors import SafetensorError, safe_open

from onepaper.errors import OnePaperError, UsageError
from onepaper.testing.mutations import fuzz, read_or_refuse
from onepaper.torch.checkpoint_files import read_torch_file


def content(old=False, **values):
    file = io.BytesIO()
    torch.save(values, file, _use_new_zipfile_serialization=not old)
    return file.getvalue()


def value():
    linear = torch.nn.Linear(3, 4)
    both = torch.arange(6.0)
    return {
        "state_dict": linear.state_dict(),
        "parameter": linear.weight,
        "bfloat16": torch.randn(3).bfloat16(),
        "flags": torch.tensor([True, False]),
        "transposed": torch.randn(3, 4).T,
        "expanded": torch.zeros(1).expand(3, 5),
        "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(3, dtype=torch.int64),
        "slice": both[2:4],
        "whole": both,
        "byte": torch.tensor([1], dtype=torch.uint8),
        "after a byte": torch.randn(3, dtype=torch.float64),
        "size": torch.Size([2, 3]),
        "step": 7,
        "array": np.arange(3),
    }


@pytest.mark.parametrize("old", [False, True])
def test_tensors_come_back(tmp_path, old):
    saved = value()
    (tmp_path / "a.pt").write_bytes(content(old, **saved))
    found = read_torch_file(tmp_path / "a.pt")
    by_torch = torch.load(tmp_path / "a.pt", weights_only=False)
    assert found.keys() == saved.keys()
    for name, wanted in (by_torch | by_torch["state_dict"]).items():
        got = found["state_dict"][name] if name in found["state_dict"] else found[name]
        if isinstance(wanted, torch.Tensor):
            assert (got.dtype, got.stride()) == (wanted.dtype, wanted.stride())
            assert torch.equal(got, wanted)
    assert (found["size"], found["step"]) == ((2, 3), 7)
    np.testing.assert_array_equal(found["array"], np.arange(3))
    found["whole"].zero_()
    assert torch.equal(found["slice"], torch.zeros(2)), "tensors of one storage share it"
    assert torch.equal(read_torch_file(tmp_path / "a.pt")["whole"], saved["whole"]), "the file is not changed"


def repacked(original, changes=(), compression=zipfile.ZIP_STORED, replace=(b"", b"")):
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(original)) as source, zipfile.ZipFile(file, "w", compression) as target:
        for entry in source.infolist():
            part = dict(changes).get(entry.filename.rpartition("/")[2], source.read(entry))
            if entry.filename.endswith("data.pkl"):
                assert replace[0] in part
                part = part.replace(*replace)
            target.writestr(entry.filename, part)
    return file.getvalue()


ONE = {"a": torch.ones(4)}


@pytest.mark.parametrize(
    ("damaged", "message"),
    [
        # Size (4,) becomes (2**40,), with the storage as it is: torch would let the storage grow.
        (repacked(content(**ONE), replace=(b"K\x04\x85", b"\x8a\x06\0\0\0\0\0\x01\x85")), "beyond the 4 numbers"),
        (repacked(content(**ONE), replace=(b"K\x04\x85", b"J\xff\xff\xff\xff\x85")), "impossible shape"),
        (repacked(content(**ONE), {"0": b"\0" * 8}), "a storage of 4 numbers in 8 bytes"),
        (repacked(content(**ONE), {"byteorder": b"big"}), "another byte order"),
        (repacked(content(**ONE), compression=zipfile.ZIP_DEFLATED), "a storage of 4 numbers|declares|larger"),
        (repacked(content(**ONE), replace=(b"FloatStorage", b"OtherStorage")), "refers to 'torch.OtherStorage'"),
        (content(old=True, **ONE).replace(b"K\x04Nt", b"\x8a\x06\0\0\0\0\0\x01Nt"), "without its"),
        (content(old=True, **ONE)[:-4], "end after the file"),
        (content(old=True, **ONE)[:20], "is damaged"),
        (b"", "is damaged"),
    ],
)
def test_what_a_file_only_declares(tmp_path, damaged, message):
    found = read_or_refuse(read_torch_file, tmp_path / "a.pt", damaged)
    assert isinstance(found, str), "it was read"
    assert any(part in found for part in message.split("|")), found


def test_a_wrong_checksum_is_noticed(tmp_path):
    damaged = bytearray(content(**ONE))
    damaged[damaged.index(torch.ones(4).numpy().tobytes())] ^= 1
    (tmp_path / "a.pt").write_bytes(damaged)
    assert torch.load(tmp_path / "a.pt", weights_only=True)["a"][0] != 1, "torch reads it"
    with pytest.raises(OnePaperError, match="has a wrong checksum|Bad CRC"):
        read_torch_file(tmp_path / "a.pt")


def test_other_objects_are_refused(tmp_path):
    torch.save({"model": torch.nn.Linear(1, 1)}, tmp_path / "a.pt")
    with pytest.raises(UsageError, match="refers to 'torch.nn.modules.linear.Linear', expected .*; save its state"):
        read_torch_file(tmp_path / "a.pt", advice="save its state_dict")
    with pytest.raises(UsageError, match="none.pt does not exist"):
        read_torch_file(tmp_path / "none.pt")


def test_safetensors_compares_sizes_itself(tmp_path):
    """That library checks shapes against offsets and offsets against the file: our readers rest on it."""
    for shape, offsets in (([2**40], [0, 4]), ([1], [0, 2**42]), ([1], [0, 8])):
        header = json.dumps({"a": {"dtype": "F32", "shape": shape, "data_offsets": offsets}}).encode()
        (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 4)
        with pytest.raises(SafetensorError), safe_open(tmp_path / "a.safetensors", framework="pt"):
            pass


VALID = [content(**ONE), content(old=True, **ONE), content(**{"b": torch.zeros(2, 3).T, **ONE})]


def test_damaged_files(tmp_path):
    fuzz(read_torch_file, tmp_path / "a.pt", VALID, 300)


@pytest.mark.slow
def test_ten_thousand_damaged_files(tmp_path):
    fuzz(read_torch_file, tmp_path / "a.pt", VALID, 10_000)
