"""Export and import are inverse; a damaged tree is refused by name."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz

from hares.config import EncoderConfig
from hares.models.encoder import Encoder
from hares.presets import STATISTICS, TINY
from hares.pretrained.haiku import export_haiku, haiku_leaves, import_haiku


def test_round_trip(tiny: Encoder, tmp_path: Path) -> None:
    arrays = export_haiku(tiny)
    np.savez(tmp_path / "tree.npz", **arrays)  # type: ignore[arg-type]
    again = import_haiku(tmp_path / "tree.npz", tiny.config)
    samples = torch.randn(1, 16_000)
    assert torch.equal(again(samples), tiny(samples))


def test_tree_of_the_paper() -> None:
    with torch.device("meta"):
        leaves = haiku_leaves(Encoder(EncoderConfig()).network)  # type: ignore[arg-type]
    assert len({key.split("|")[0] for key in leaves}) == 190
    assert sum(parameter.numel() for parameter, _ in leaves.values()) == 62_970_654
    for key in (
        "slow_fast_nf_net/~/NFNet_1/~/nf_block_11/~/squeeze_excite/~/linear_1|b",
        "slow_fast_nf_net/~/fuse_fast2_slow_3/~/conv_f2s|gain",
        "slow_fast_nf_net/~/NFNet/~/nf_block|skip_gain",
    ):
        assert key in leaves
    assert leaves["slow_fast_nf_net/~/NFNet/~/stem_conv0|w"][0].shape[0] == 2


def test_damaged_trees_are_refused(tiny: Encoder, tmp_path: Path) -> None:
    arrays = export_haiku(tiny)
    key = "slow_fast_nf_net/~/NFNet/~/stem_conv0|w"
    nan = np.full_like(arrays[key], np.nan)
    cases = {"lacks": None, "has the unknown": "more", "has shape": arrays[key][:1], "NaN": nan}
    for expected, change in cases.items():
        changed = dict(arrays)
        if change is None:
            del changed[key]
        elif isinstance(change, str):
            changed[change] = np.zeros(1, np.float32)
        else:
            changed[key] = change
        np.savez(tmp_path / "tree.npz", **changed)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match=expected):
            import_haiku(tmp_path / "tree.npz", tiny.config)
    with pytest.raises(UsageError, match="statistics"):
        export_haiku(Encoder(STATISTICS))


@pytest.mark.parametrize("count", [60, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_files(tmp_path: Path, count: int) -> None:
    config = replace(TINY, depths=(1, 1, 1, 1), final_conv=False)
    file = io.BytesIO()
    np.savez(file, **export_haiku(Encoder(config)))  # type: ignore[arg-type]
    fuzz(lambda path: import_haiku(path, config) and None, tmp_path / "tree.npz", [file.getvalue()], count)
