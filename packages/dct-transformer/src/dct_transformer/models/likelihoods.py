"""Likelihoods of images in bits, in the factors of their triples."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from dct_transformer.config import ModelConfig


class Likelihood(NamedTuple):
    """Bits of each image, split into the factors of its triples."""

    channels: Float[np.ndarray, "images"]
    """of the channels and the stop symbol"""
    positions: Float[np.ndarray, "images"]
    values: Float[np.ndarray, "images"]
    lengths: Float[np.ndarray, "images"]
    """triples of each image"""

    @property
    def bits(self) -> Float[np.ndarray, "images"]:
        """Of each image."""
        return self.channels + self.positions + self.values

    @property
    def bits_per_triple(self) -> float:
        """Of all images."""
        return float(self.bits.sum() / self.lengths.sum())

    def summary(self, config: ModelConfig) -> dict[str, float]:
        """Means over images and triples. Bits are of the quantised image and do not compare with those of pixels."""
        total = self.lengths.sum()
        return {
            "bits_per_image": float(self.bits.mean()),
            "bits_per_dimension": float(self.bits.mean() / (3 * config.height * config.width)),
            "bits_per_triple": self.bits_per_triple,
            "channel_bits": float(self.channels.sum() / total),
            "position_bits": float(self.positions.sum() / total),
            "value_bits": float(self.values.sum() / total),
            "triples": float(self.lengths.mean()),
        }
