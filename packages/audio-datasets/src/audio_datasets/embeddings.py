"""Embeddings of clips by frozen encoders, each computed once and kept in files."""

import hashlib
import io
import json
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from onepaper.errors import UsageError
from onepaper.foreign.arrays import read_npy
from onepaper.progress import track
from onepaper.runs import write_atomic

from audio_datasets.config import EncoderConfig
from audio_datasets.data.clips import Clip, ClipSet
from audio_datasets.features.encoders import FrozenEncoder

# Clips of one file of the cache: what an interruption can lose.
_AT_ONCE = 64


def embed_clips(
    clips: ClipSet, folder: Path, config: EncoderConfig, max_seconds: float = 10.0, device: str = "cpu"
) -> Float32[np.ndarray, "clips size"]:
    """The embedding of each clip; an interrupted call continues after the last file of the cache.

    A file is found again by the encoder's files, layer and pooling, and by the clips' paths, times and dates: audio or
    weights that change are encoded again.

    Raises:
        UsageError: an encoder or clip that cannot be read, or a damaged file of the cache.
    """
    encoder, parts = FrozenEncoder(folder, config, device), []
    described = [*map(_dated, sorted(folder.iterdir())), config.layer, config.pooling, max_seconds]
    for begin in track(range(0, len(clips), _AT_ONCE), "embeddings", unit=f"x {_AT_ONCE} clips"):
        chosen = clips.clips[begin : begin + _AT_ONCE]
        kept = None
        if config.cache is not None:
            key = json.dumps([described, [_described(clip) for clip in chosen]])
            kept = config.cache / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npy"
        if kept is not None and kept.is_file():
            part = read_npy(kept)
            if part.shape != (len(chosen), encoder.size) or not np.isfinite(part).all():
                raise UsageError(f"{kept} is damaged; remove it, and it is computed again")
        else:
            part = np.stack([encoder(clip.read(encoder.rate, max_seconds)) for clip in chosen])
            if kept is not None:
                content = io.BytesIO()
                np.save(content, part)
                kept.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(kept, content.getvalue())
        parts.append(part.astype(np.float32))
    return np.concatenate(parts)


def _described(clip: Clip) -> list[object]:
    return [*_dated(clip.path), clip.start, clip.seconds, *(["trim"] if clip.trim else [])]


def _dated(path: Path) -> list[object]:
    if not path.exists():
        raise UsageError(f"{path} is not a file; check your copy")
    status = path.stat()
    return [str(path.resolve()), status.st_size, status.st_mtime_ns]
