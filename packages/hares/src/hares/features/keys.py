"""What features depend on: the identity of an embedding, and the content of audio."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from onepaper.errors import UsageError
from onepaper.fingerprint import code_fingerprint

_FOLDER = Path(__file__).parents[1]


def tensors_digest(network: torch.nn.Module) -> str:
    """SHA-256 over names, types, shapes and values of all tensors of a network."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
        digest.update(values.flatten().view(torch.uint8).numpy() if values.numel() else b"")
    return digest.hexdigest()


def embedding_identity(embedding: Any) -> str:
    """What distinguishes an embedding from others: its `identity`, or configuration, weights and code of a network.

    Raises:
        UsageError: it has no `identity` and is no network.
    """
    given = getattr(embedding, "identity", None)
    if isinstance(given, str):
        return given
    if not isinstance(embedding, torch.nn.Module):
        raise UsageError(
            f"{type(embedding).__name__} has no text `identity`, so that its features cannot be kept; give it one"
        )
    kind = type(embedding)
    code = ""
    if kind.__module__.startswith("hares."):
        code = code_fingerprint(f"{kind.__module__}:{kind.__name__}", _FOLDER)
    return f"{kind.__qualname__} {getattr(embedding, 'config', '')} {code} {tensors_digest(embedding)}"


def arrays_digest(arrays: Iterable[npt.NDArray[np.float32]]) -> str:
    """SHA-256 over the values and lengths of waveforms."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{len(array)}\n".encode())
        digest.update(np.ascontiguousarray(array))  # pyright: ignore
    return digest.hexdigest()
