"""Tiles: they cover everything, constants remain, and a local function is the same as without tiles."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, strategies
from onepaper.errors import UsageError

from imagen3.diffusion.tiling import by_tiles, raised_cosine, tile_starts


@given(strategies.integers(1, 300), strategies.integers(1, 40), strategies.data())
def test_tiles_cover_and_overlap(length: int, tile: int, data: strategies.DataObject) -> None:
    overlap = data.draw(strategies.integers(0, tile // 2))
    starts = tile_starts(length, tile, overlap)
    assert starts[0] == 0
    assert starts[-1] + min(tile, length) == length
    assert all(after - before <= tile - overlap for before, after in itertools.pairwise(starts))


def test_windows_of_neighbours_sum_to_one() -> None:
    left = raised_cosine(16, 4, first=True, last=False)
    right = raised_cosine(16, 4, first=False, last=True)
    torch.testing.assert_close(left[12:] + right[:4], torch.ones(4))
    assert left[:12].eq(1).all()
    assert 0 < float(right[0]) < 0.1


def test_constants_and_local_functions_remain() -> None:
    values = torch.randn(2, 3, 40, 23, generator=torch.Generator().manual_seed(0))
    found = by_tiles(lambda rows, columns: values[..., rows, columns], (40, 23), 16, 4)
    torch.testing.assert_close(found, values)
    doubled = by_tiles(
        lambda rows, columns: F.interpolate(values[..., rows, columns], scale_factor=2), (40, 23), 16, 4, factor=2
    )
    torch.testing.assert_close(doubled, F.interpolate(values, scale_factor=2))


def test_tiles_that_disagree_are_blended_without_a_seam() -> None:
    """Each tile is a constant of its own; the largest step between neighbours is far below the differences."""
    numbers = iter(range(100))
    found = by_tiles(lambda rows, columns: torch.full((1, 1, 16, 16), float(next(numbers))), (16, 40), 16, 8)
    assert found[0, 0, :, 0].eq(0).all()
    assert found[0, 0, :, -1].eq(3).all()
    assert found.diff(dim=3).abs().max() < 0.35


def test_overlap_out_of_range() -> None:
    with pytest.raises(UsageError, match="expected 0 to 8, half of the tile"):
        tile_starts(100, 16, 9)
