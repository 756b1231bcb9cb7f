"""Checkpoints are written atomically, verified on load, limited in number; no framework is needed."""

import contextlib
import dataclasses
import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from onepaper import checkpoints as module
from onepaper.checkpoints import BrokenCheckpoint, Checkpoints, Leaf, check_tree, read_pretrained, write_pretrained
from onepaper.data import write_sums
from onepaper.errors import OnePaperError, UsageError

TREE = {"w": Leaf((3,), "float32")}
IDENTITY = {"config": {"width": 8, "betas": [0.9, 0.99]}, "seed": 0}


def writer(value: int):
    def write(folder: Path):
        (folder / "sub").mkdir()
        (folder / "sub" / "w.bin").write_bytes(np.full(3000, value, np.float32).tobytes())
        (folder / "state.json").write_text(json.dumps({"value": value}))
        return TREE

    return write


def read(folder: Path, tree):
    assert tree == TREE
    values = np.frombuffer((folder / "sub" / "w.bin").read_bytes(), np.float32)
    assert (values == values[0]).all()
    return int(values[0])


@pytest.fixture
def saved(tmp_path):
    store = Checkpoints(tmp_path / "checkpoints", IDENTITY, keep=3)
    for step in (10, 20, 30, 40):
        store.save(step, writer(step), {"window": [step]})
    return store


def reopened(store: Checkpoints, **changes) -> Checkpoints:
    return Checkpoints(store.folder, IDENTITY | changes, keep=store.keep)


def test_newest_is_restored_and_oldest_retired(saved):
    assert saved.steps() == [20, 30, 40]
    value, manifest = reopened(saved).restore(read)
    assert (value, manifest.step, manifest.extra) == (40, 40, {"window": [40]})
    assert Checkpoints(saved.folder / "other", IDENTITY).restore(read) is None


def test_tuples_in_the_identity_equal_their_json(saved):
    assert reopened(saved, config={"width": 8, "betas": (0.9, 0.99)}).restore(read)


def test_another_configuration_is_refused_by_name(saved):
    with pytest.raises(UsageError, match=r"config\.width: 16 here, 8 there; seed: 1 here, 0 there"):
        reopened(saved, config={"width": 16, "betas": [0.9, 0.99]}, seed=1).restore(read)
    assert saved.steps() == [20, 30, 40]


def files_of(store: Checkpoints, step: int) -> list[Path]:
    return sorted(path for path in store.path(step).rglob("*") if path.is_file())


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "add"])
def test_any_damage_to_any_file_is_found(saved, damage, caplog):
    for path in files_of(saved, 40):
        content = path.read_bytes()
        for place in range(0, len(content), max(1, len(content) // 7)):
            if damage == "flip":
                path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
            elif damage == "truncate":
                path.write_bytes(content[:place])
            elif damage == "remove":
                path.unlink()
            else:
                path.with_name("stranger").write_bytes(content)
            with pytest.raises(BrokenCheckpoint):
                saved.verify(40)
            path.write_bytes(content)
            path.with_name("stranger").unlink(missing_ok=True)
    assert saved.verify(40).step == 40


def test_restore_falls_back_to_the_next_older(saved, caplog):
    for step in (40, 30):
        path = saved.path(step) / "sub" / "w.bin"
        content = bytearray(path.read_bytes())
        content[5] ^= 1
        path.write_bytes(content)
    assert reopened(saved).restore(read)[0] == 20
    assert "step_40" in caplog.text
    assert "trying the next older" in caplog.text
    assert saved.steps() == [20]
    assert (saved.folder / "step_40.broken").is_dir()


def test_a_renamed_checkpoint_is_not_another_step(saved):
    saved.path(40).rename(saved.path(50))
    assert reopened(saved).restore(read)[0] == 30


def test_without_an_intact_checkpoint_training_does_not_restart(saved):
    for step in saved.steps():
        (saved.path(step) / "manifest.json").write_text("{}")
    with pytest.raises(OnePaperError, match="is damaged"):
        reopened(saved).restore(read)


def test_opening_removes_what_a_crash_left(saved):
    shutil.copytree(saved.path(30), saved.folder / "step_50.tmp")
    saved.path(30).rename(saved.folder / "step_30.doomed")
    again = reopened(saved)
    assert again.steps() == [20, 40]
    assert sorted(os.listdir(again.folder)) == ["step_20", "step_40"]


def test_saving_a_step_again_replaces_it(saved):
    saved.save(40, writer(41))
    assert reopened(saved).restore(read)[0] == 41


def test_a_step_cut_back_is_kept_beside_stale_newer_ones(tmp_path):
    store = Checkpoints(tmp_path, IDENTITY, keep=1)
    store.save(100, writer(100))
    store.save(60, writer(60))
    assert store.steps() == [60, 100]


CALLS = [("mkdir", Path), ("write_text", Path), ("write_bytes", Path), ("open", Path), ("rename", Path), ("fsync", os)]


@pytest.mark.parametrize(("name", "owner"), CALLS)
def test_a_full_disk_at_any_call_leaves_the_older_ones(saved, monkeypatch, name, owner):
    """Let the n-th call of each kind fail, for every n that a save reaches."""
    real = getattr(owner, name)
    failed = 0
    for limit in range(40):
        calls = 0

        def full(*arguments, _limit=limit, **options):
            nonlocal calls
            calls += 1
            if calls > _limit:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(owner, name, full)
            try:
                saved.save(50, writer(50))
            except OnePaperError as error:
                failed += 1
                text = str(error)
                assert "No space left on device" in text
                assert "\n" not in text
            else:
                break
        kept = reopened(saved)
        assert not list(kept.folder.glob("*.tmp"))
        value, manifest = kept.restore(read)
        assert value == manifest.step == kept.steps()[-1] >= 40
    else:
        pytest.fail("the save never got through")
    assert failed > 0
    assert reopened(saved).restore(read)[0] == 50


def test_a_full_disk_for_real(tmp_path):
    if os.geteuid() != 0 or os.system(f"mount -t tmpfs -o size=64k tmpfs {tmp_path} 2>/dev/null") != 0:
        pytest.skip("no right to mount a small disk")
    try:
        store = Checkpoints(tmp_path / "checkpoints", IDENTITY, keep=10)
        with pytest.raises(OnePaperError, match="No space left on device; step .* is intact. Free space"):
            for step in range(1, 10):
                store.save(step, writer(step))
        assert not list(store.folder.glob("*.tmp"))
        assert reopened(store).restore(read)[0] == store.steps()[-1]
    finally:
        os.system(f"umount {tmp_path}")


class TwoProcesses(module.Processes):
    """A main process whose partner has failed."""

    world = 2

    def any(self, flag):
        return True


def test_a_partner_that_failed_stops_this_one(tmp_path):
    with pytest.raises(OnePaperError, match="another process of this run failed"):
        Checkpoints(tmp_path, IDENTITY, processes=TwoProcesses())


def test_check_tree_names_each_difference():
    found = {"a": Leaf((2,), "float32"), "b": Leaf((2,), "bfloat16"), "x": Leaf((), "int32")}
    expected = {"a": Leaf((3,), "float32"), "b": Leaf((2,), "float32"), "c": Leaf((), "int32")}
    check_tree(found, found, "here")
    with pytest.raises(OnePaperError) as caught:
        check_tree(expected, found, "step_3")
    for part in (
        "step_3",
        "'c' is missing",
        "'x' is unexpected",
        "'a' is float32[2], expected float32[3]",
        "'b' is bfloat16[2], expected float32[2]",
    ):
        assert part in str(caught.value)


@dataclasses.dataclass(frozen=True)
class Width:
    width: int = 4


@dataclasses.dataclass(frozen=True)
class Depth:
    depth: int = 4


@dataclasses.dataclass(frozen=True)
class Levels:
    num_levels: int = 4


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    vocab_size: int = 4


def _write_weights(path: Path) -> None:
    save_file({"weight": np.ones((7, 3)), "bias": np.ones(2)}, path)


def test_pretrained_folders_are_verified(tmp_path):
    folder = write_pretrained(tmp_path / "model", Width(7), _write_weights)
    config, weights = read_pretrained(folder, Width)
    assert (config, load_file(weights).keys()) == (Width(7), {"weight", "bias"})
    assert sorted(os.listdir(folder)) == ["config.json", "model.safetensors"]
    with pytest.raises(UsageError, match="unknown model type 'Width'"):
        read_pretrained(folder, Depth)
    weights.write_bytes(weights.read_bytes()[:-1] + b"1")
    with pytest.raises(OnePaperError, match="is damaged: its SHA-256"):
        read_pretrained(folder, Width)
    weights.unlink()
    with pytest.raises(OnePaperError, match="is missing"):
        read_pretrained(folder, Width)
    (folder / "config.json").write_text('{"width": 4}')
    with pytest.raises(UsageError, match="no model configuration"):
        read_pretrained(folder, Width)

    def full(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OnePaperError, match="cannot write .*: No space left"):
        write_pretrained(tmp_path / "other", Width(), full)
    assert os.listdir(tmp_path / "other") == []


def test_more_layers_than_the_weights_can_hold_are_refused(tmp_path):
    assert read_pretrained(write_pretrained(tmp_path, Depth(7), _write_weights), Depth)[0].depth == 7  # stacked
    write_pretrained(tmp_path, Depth(8), _write_weights)
    with pytest.raises(UsageError, match=r"config.json: depth is 8, but model.safetensors cannot hold"):
        read_pretrained(tmp_path, Depth)


def test_more_levels_of_noise_than_a_table_may_have_are_refused(tmp_path):
    write_pretrained(tmp_path, Levels(2**31), _write_weights)
    with pytest.raises(UsageError, match=r"config.json: num_levels is 2147483648, expected at most 1,000,000"):
        read_pretrained(tmp_path, Levels)


def test_vocabularies_longer_than_the_weights_are_refused(tmp_path):
    assert read_pretrained(write_pretrained(tmp_path, Vocabulary(7), _write_weights), Vocabulary)[0].vocab_size == 7
    write_pretrained(tmp_path, Vocabulary(8), _write_weights)
    with pytest.raises(UsageError, match=r"vocab_size is 8, but no axis of the weights is longer than 7"):
        read_pretrained(tmp_path, Vocabulary)


def test_no_flipped_bit_of_a_configuration_goes_unnoticed(tmp_path):
    folder = write_pretrained(tmp_path, Width(7), _write_weights)
    path = folder / "config.json"
    content = path.read_bytes()
    for at in range(len(content)):
        for bit in (0, 1, 5, 7):
            path.write_bytes(content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :])
            with contextlib.suppress(OnePaperError):
                assert read_pretrained(folder, Width)[0] == Width(7)  # white space between values
    path.write_bytes(content)
    read_pretrained(folder, Width)


def test_configurations_of_format_1_open(tmp_path):
    folder = write_pretrained(tmp_path, Width(7), _write_weights)
    values = json.loads((folder / "config.json").read_text()) | {"format": 1}
    del values["config_sha256"]
    (folder / "config.json").write_text(json.dumps(values))
    assert read_pretrained(folder, Width)[0] == Width(7)
    write_sums(folder)
    (folder / "config.json").write_text(json.dumps(values | {"config": {"width": 6}}))
    with pytest.raises(OnePaperError, match="config.json is damaged"):
        read_pretrained(folder, Width)
    # A model that is saved again replaces the listing of the former one.
    write_pretrained(folder, Width(8), _write_weights)
    assert read_pretrained(folder, Width)[0] == Width(8)


def test_folders_by_text_and_ids_of_a_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_pretrained("models/small", Width(7), _write_weights)
    assert read_pretrained("models/small", Width)[0] == Width(7)
    with pytest.raises(UsageError, match="models of a hub are not downloaded: fetch the files first"):
        read_pretrained("someone/small", Width)
