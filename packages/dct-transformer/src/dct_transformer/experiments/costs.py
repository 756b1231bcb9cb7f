"""Claims about the cost of a training step."""

from dataclasses import replace

import numpy as np
import torch
from onepaper.benchmark import peak_bytes
from onepaper.claims import ClaimContext, Evidence, Measurement, Table
from onepaper.data import map_arrays
from torch.utils.flop_counter import FlopCounterMode

from dct_transformer.config import ChunkConfig, CodecConfig, ModelConfig
from dct_transformer.data.chunks import Chunk, make_chunks
from dct_transformer.data.examples import image_example
from dct_transformer.data.images import photographs, resize
from dct_transformer.models.dct_transformer import DCTransformer

# Image size and the stride of the encoder, which keeps its number of tokens.
STRIDES = {32: 1, 64: 2, 128: 4, 256: 8}
MODEL = ModelConfig(codec=CodecConfig(), chunk=ChunkConfig(192, 32), dim=128, dropout=0.0)
LARGE = replace(MODEL, height=1024, width=1024, stride=4, chunk=ChunkConfig(896, 128))


def _chunk(config: ModelConfig) -> Chunk:
    image = resize(photographs()["coffee"], (config.height, config.width))
    return map_arrays(torch.as_tensor, make_chunks([image_example(image, 0, config)], [0], config))


def decoder_flops(context: ClaimContext) -> Evidence:
    """FLOPs of the decoders in a forward pass over one chunk, at several sizes of images."""
    rows, decoders = [], []
    for size, stride in STRIDES.items():
        config = replace(MODEL, height=size, width=size, stride=stride)
        model, chunk = DCTransformer(config), _chunk(config)
        with FlopCounterMode(display=False) as counter:
            model(chunk)
        found = counter.get_flop_counts()
        parts = {name: sum(found.get(f"DCTransformer.{name}", {}).values()) for name in _DECODERS}
        decoders.append(sum(parts.values()))
        length = image_example(resize(photographs()["coffee"], (size, size)), 0, config).triples.length
        rows.append((f"{size}", f"{length:,}", f"{decoders[-1] / 1e9:.3f}", f"{counter.get_total_flops() / 1e9:.3f}"))
    header = ("pixels", "triples of the image", "GFLOP of the decoders", "GFLOP of the network")
    spread = max(decoders) / min(decoders) - 1
    return Evidence(
        "",
        [Measurement.exact("relative variation of the decoders' FLOPs", spread)],
        [Table("Forward pass", header, rows)],
    )


_DECODERS = ("channel_decoder", "position_decoder", "value_decoder")


def large_step(context: ClaimContext) -> Evidence:
    """Memory of the process after encoding an image of 1024 x 1024 pixels and one training step on a chunk of it."""
    model = DCTransformer(LARGE).train()
    optimizer = torch.optim.Adam(model.parameters())
    nats = model(_chunk(LARGE)).total()
    nats.sum().backward()
    optimizer.step()
    assert np.isfinite(float(nats.detach().sum()))
    return Evidence("", [Measurement.exact("peak memory", peak_bytes() / 2**30, "GiB")])
