"""Sizes of the paper's networks, counted without allocating them."""

import torch
from onepaper.claims import ClaimContext, Evidence, Measurement

from hares.models.encoder import Encoder
from hares.presets import ENCODERS


def parameters(name: str) -> tuple[int, int]:
    """Parameters and width of the embedding of one of `ENCODERS`."""
    with torch.device("meta"):
        encoder = Encoder(ENCODERS[name])
    return sum(parameter.numel() for parameter in encoder.parameters()), encoder.embed_dim


def sizes(_: ClaimContext) -> Evidence:
    """Parameters of every network, and the width of the Slowfast NFNet-F0's embedding."""
    measured = [Measurement.exact(f"{name} parameters", parameters(name)[0]) for name in ENCODERS]
    measured.append(Measurement.exact("slowfast-nfnet-f0 embedding", parameters("slowfast-nfnet-f0")[1]))
    return Evidence("", tuple(measured))
