"""Masks compared with the definition, for every order."""

import numpy as np
import pytest
import torch

from dct_transformer.config import CodecConfig
from dct_transformer.models.legality import START_KEY, Legality
from dct_transformer.representation.codec import color_layout


@pytest.mark.parametrize("order", ["bands", "channels", "blocks"])
def test_legal_choices_are_those_that_keep_a_list_sorted(order: str) -> None:
    layout = color_layout(6, 4, CodecConfig(block=2, order=order))  # type: ignore[arg-type]
    listed = np.ones(12, bool)
    listed[3] = False
    legality = Legality(layout, np.full(12, 2), listed)
    pairs = {(c, p): int(layout.keys(np.array(c), np.array(p))) for c in range(12) for p in range(6)}
    pairs = {pair: key for pair, key in pairs.items() if layout.has_block[pair[0] // 4, pair[1]]}
    assert len(set(pairs.values())) == len(pairs)
    for previous in [START_KEY, *pairs.values()]:
        later = {pair for pair, key in pairs.items() if key > previous}
        channels = legality.channels(torch.tensor(previous))
        expected = {c for c, _ in later if listed[c]}
        assert set(torch.where(channels)[0].tolist()) == expected | {12}
        for channel in range(12):
            positions = legality.positions(torch.tensor(channel), torch.tensor(previous))
            assert set(torch.where(positions)[0].tolist()) == {p for c, p in later if c == channel}


def test_values() -> None:
    layout = color_layout(4, 4, CodecConfig(block=4))
    bounds = np.arange(1, 49)
    legality = Legality(layout, bounds, np.ones(48, bool))
    index = torch.arange(2 * 48)
    assert legality.value_index(legality.value_of(index)).tolist() == index.tolist()
    assert legality.value_of(index).tolist() == [*range(-48, 0), *range(1, 49)]
    assert legality.values[legality.value_mask(torch.tensor(1))].tolist() == [-2, -1, 1, 2]
