"""The exact likelihood of images under a network."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from onepaper.data import map_arrays
from onepaper.errors import UsageError

from dct_transformer.config import ModelConfig
from dct_transformer.data.chunks import Chunk, Example, make_chunks, number_of_chunks
from dct_transformer.models.dct_transformer import DCTransformer
from dct_transformer.models.likelihoods import Likelihood

BATCH = 32


def all_chunks(
    examples: Sequence[Example], config: ModelConfig, batch: int = BATCH
) -> Iterator[tuple[list[int], list[int], Chunk]]:
    """Every chunk of every example in batches: the examples' indices, the chunks' indices, and the arrays."""
    pairs = [
        (index, chunk)
        for index, example in enumerate(examples)
        for chunk in range(number_of_chunks(example.triples.length, config.chunk))
    ]
    for begin in range(0, len(pairs), batch):
        rows, chunks = (list(column) for column in zip(*pairs[begin : begin + batch], strict=True))
        yield rows, chunks, make_chunks([examples[row] for row in rows], chunks, config)


@torch.inference_mode()
def likelihood(model: DCTransformer, examples: Sequence[Example], batch: int = BATCH) -> Likelihood:
    """The exact likelihood of complete lists, all chunks of each.

    Raises:
        UsageError: no examples, or a likelihood that is not finite.
    """
    if not examples:
        raise UsageError("there are no images to evaluate; give at least one")
    device = model.begin.device
    bits = np.zeros((3, len(examples)))
    for rows, _, chunk in all_chunks(examples, model.config, batch):
        nats = model(map_arrays(lambda array: torch.as_tensor(array).to(device), chunk))
        for factor, array in enumerate(nats):
            np.add.at(bits[factor], rows, array.double().sum(dim=1).cpu().numpy() / math.log(2))
    if not np.isfinite(bits).all():
        raise UsageError(
            f"the likelihood of image {int((~np.isfinite(bits)).any(axis=0).argmax())} is not finite; use weights of "
            "another training"
        )
    channels, positions, values = bits
    return Likelihood(channels, positions, values, np.array([example.triples.length for example in examples], float))
