"""Random numbers of the rows of a batch, from (seed, step, row) alone.

A row has the same ones on any number of processes, in any micro-batch and on any device.
"""

from collections.abc import Sequence

import numpy as np
import torch
from onepaper.data import rank_slice
from onepaper.torch.accelerator import Accelerator
from torch import Tensor

# Apart from the order of the pictures and the choice of captions, which are drawn from (seed, step) too.
STREAM = 2


def random_rows(
    shape: Sequence[int], rows: range, batch_size: int, *, seed: int, step: int, normals: int, uniforms: int = 0
) -> dict[str, Tensor]:
    """Numbers of some rows of a batch.

    Args:
        shape: of a normal array.
        rows: of the global batch.
        batch_size: of the global batch.
        seed: of the training.
        step: of the training.
        normals: arrays of a row.
        uniforms: of a row, from 0 to 1; over the global batch the first one is stratified, one in each of `batch_size`
            equal parts, which lowers the variance.

    Returns:
        `normal` [rows, normals, *shape] and `uniform` [rows, uniforms].
    """
    strata = np.random.default_rng([seed, step, STREAM]).permutation(batch_size)
    normal = np.empty((len(rows), normals, *shape), np.float32)
    uniform = np.empty((len(rows), uniforms))
    for index, row in enumerate(rows):
        generator = np.random.default_rng([seed, step, STREAM, row])
        uniform[index] = generator.random(uniforms)
        uniform[index, :1] = (strata[row] + uniform[index, :1]) / batch_size
        generator.standard_normal(dtype=np.float32, out=normal[index])
    return {"normal": torch.from_numpy(normal), "uniform": torch.from_numpy(uniform.astype(np.float32))}


def own_rows(batch_size: int, accelerator: Accelerator) -> range:
    """The rows of the global batch that belong to a process."""
    return range(batch_size)[rank_slice(batch_size, accelerator.rank, accelerator.world)]
