"""Which triple may follow another one: a list is sorted, and holds each pair of channel and position once."""

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from dct_transformer.data.chunks import START_KEY
from dct_transformer.representation.triples import Layout


class Legality(nn.Module):
    """The masks of a layout, as tensors of a model.

    Args:
        layout: channels, positions and their order.
        bounds: largest size of the values of each channel.
        listed: channels that the list may hold; others are given otherwise. None: all.

    Every list that these masks permit is an image, so that probabilities of lists sum to 1.
    """

    def __init__(
        self, layout: Layout, bounds: Int[np.ndarray, "channels"], listed: Bool[np.ndarray, "channels"]
    ) -> None:
        super().__init__()
        self.channel_weight, self.position_weight = layout.channel_weight, layout.position_weight
        self.num_channels, self.num_positions = layout.num_channels, layout.num_positions
        self.limit = int(bounds.max())
        channels, positions = np.arange(layout.num_channels), np.arange(layout.num_positions)
        vocabulary = np.arange(-self.limit, self.limit + 1)
        buffers = {
            "rank": layout.rank,
            "plane": channels // layout.block**2,
            "has_block": layout.has_block,
            "listed": listed,
            "bounds": bounds,
            "values": vocabulary[vocabulary != 0],
            "last_keys": np.where(listed, layout.keys(channels, layout.last), START_KEY),
            "all_keys": layout.keys(channels[None], positions[:, None]),
        }
        for name, value in buffers.items():
            self.register_buffer(name, torch.from_numpy(value.copy()), persistent=False)

    rank: Tensor
    plane: Tensor
    has_block: Tensor
    listed: Tensor
    bounds: Tensor
    values: Tensor
    last_keys: Tensor
    all_keys: Tensor

    @property
    def stop(self) -> int:
        """The channel that ends a list."""
        return self.num_channels

    def keys(self, channels: Int[Tensor, "*axes"], positions: Int[Tensor, "*axes"]) -> Int[Tensor, "*axes"]:
        """As `Layout.keys`."""
        return self.rank[channels] * self.channel_weight + positions * self.position_weight

    def value_index(self, values: Int[Tensor, "*axes"]) -> Int[Tensor, "*axes"]:
        """Index in the vocabulary of values: -limit, ..., -1, 1, ..., limit."""
        return values + self.limit - (values > 0).long()

    def value_of(self, index: Int[Tensor, "*axes"]) -> Int[Tensor, "*axes"]:
        """The inverse of `value_index`."""
        return index - self.limit + (index >= self.limit).long()

    def channels(self, previous: Int[Tensor, "*axes"]) -> Bool[Tensor, "*axes channels_and_stop"]:
        """Channels with a later position than `previous`, the key of the triple before; and the stop symbol."""
        later = self.last_keys > previous[..., None]
        return torch.cat([later, torch.ones_like(later[..., :1])], dim=-1)

    def positions(
        self, channels: Int[Tensor, "*axes"], previous: Int[Tensor, "*axes"]
    ) -> Bool[Tensor, "*axes positions"]:
        """Positions of a channel's blocks that are later than `previous`."""
        places = torch.arange(self.num_positions, device=channels.device)
        later = self.keys(channels[..., None], places) > previous[..., None]
        return later & self.has_block[self.plane[channels]]

    def value_mask(self, channels: Int[Tensor, "*axes"]) -> Bool[Tensor, "*axes values"]:
        """Values within the bound of a channel."""
        return self.values.abs() <= self.bounds[channels][..., None]
