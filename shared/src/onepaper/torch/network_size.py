"""Settings of other libraries' networks compared with the weights beside them, before the network takes memory."""

import contextlib
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from onepaper.errors import UsageError
from onepaper.foreign.network_size import check_repeats, weight_shapes


def check_network_size(path: Path, settings: Mapping[str, Any], build: Callable[[], nn.Module] | None = None) -> None:
    """Refuse settings of a network that is far larger than its weights.

    Names and precisions of published weights vary, and so may their number a little: more than twice as many parameters
    as the weights have are refused. Settings that build no network, and folders without weights, are left to the
    library that reads them.

    Args:
        path: file of the settings; the weights are all `*.safetensors` in its folder.
        settings: as read from JSON.
        build: makes the network; called on the device meta, where it takes no memory.

    Raises:
        UsageError: more repeats than tensors, too many parameters, or damaged weights.
    """
    shapes = [
        shape for weights in sorted(path.parent.glob("*.safetensors")) for shape in weight_shapes(weights).values()
    ]
    if not shapes:
        return
    check_repeats(path, settings, len(shapes), f"there are weights of {len(shapes)} tensors only")
    network = None
    with contextlib.suppress(Exception), torch.device("meta"):
        network = build() if build else None
    expected = sum(parameter.numel() for parameter in network.parameters()) if network is not None else 0
    parameters = sum(map(math.prod, shapes))
    if expected > 2 * parameters:
        raise UsageError(f"{path} describes a network of {expected:,} parameters, but its weights have {parameters:,}")
