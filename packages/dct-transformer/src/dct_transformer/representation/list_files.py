"""Lists of triples as files: packed integers with the size, tables and subsampling of the image."""

from pathlib import Path
from typing import get_args

import numpy as np
from onepaper.display.file_bytes import npz_bytes
from onepaper.errors import UsageError
from onepaper.foreign.arrays import read_npz
from onepaper.runs import write_atomic

from dct_transformer.config import LARGEST_BLOCK, LARGEST_IMAGE, Order
from dct_transformer.representation.dct_image import DctImage
from dct_transformer.representation.triples import Layout, Triples, layout_of, pack, unpack

_ARRAYS = {"triples": "u", "size": "i", "steps": "i", "tables": "i", "order": "i"}
_MOST_CELLS = 2**28


def write_list(path: Path, image: DctImage, order: Order = "bands") -> Path:
    """Write the list of an image: 6 bytes a triple before compression.

    Raises:
        UsageError: a channel, position or value does not fit into 16 bits.
    """
    layout = layout_of(image.height, image.width, image.block, image.steps, order)
    content = npz_bytes(
        triples=pack(layout.to_triples(image)),
        size=np.array([image.height, image.width]),
        steps=np.array(image.steps),
        tables=np.array(image.tables),
        order=np.array(get_args(Order).index(order)),
    )
    write_atomic(path, content)
    return path


def read_list(path: Path) -> tuple[Triples, Layout, tuple[np.ndarray, ...]]:
    """The list of a file that `write_list` wrote, its layout and its tables.

    Raises:
        UsageError: no such file, or it is damaged or no list.
    """
    arrays = read_npz(path, max_bytes=2**31)
    if set(arrays) != set(_ARRAYS) or any(arrays[name].dtype.kind != kind for name, kind in _ARRAYS.items()):
        raise UsageError(f"{path} holds {sorted(arrays)}, expected the arrays of a list; make it with `encode`")
    size, steps, tables, order = (arrays[name] for name in ("size", "steps", "tables", "order"))
    block = round(tables.shape[-1] ** 0.5) if tables.ndim == 2 else 0
    orders = get_args(Order)
    valid = (
        size.shape == (2,)
        and bool((size >= 1).all() and (size <= LARGEST_IMAGE).all())
        and steps.shape in ((1, 2), (3, 2))
        and bool((steps >= 1).all() and (steps <= 4).all())
        and 2 <= block <= LARGEST_BLOCK
        and tables.shape == (len(steps), block * block)
        and bool((tables >= 1).all() and (tables <= 65_535).all())
        and order.shape == ()
        and 0 <= int(order) < len(orders)
        and int(size[0]) * int(size[1]) <= _MOST_CELLS
    )
    if not valid:
        raise UsageError(
            f"{path} is damaged: its size, steps, tables or order are not possible; encode the image again"
        )
    pairs = tuple((int(down), int(across)) for down, across in steps)
    layout = layout_of(int(size[0]), int(size[1]), block, pairs, orders[int(order)])
    triples = unpack(arrays["triples"])
    layout.check(triples)
    return triples, layout, tuple(table.astype(np.int32) for table in tables)
