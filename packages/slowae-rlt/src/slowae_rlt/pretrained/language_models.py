"""Run-length Transformers on disk, each with the name of the codec whose events it models."""

import json
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
from onepaper.data import write_sums
from onepaper.errors import UsageError
from onepaper.jax.state_files import load_pretrained, model_arrays, save_pretrained
from onepaper.runs import write_atomic
from onepaper.weights import find_weights

from slowae_rlt.config import RunLengthConfig
from slowae_rlt.models.run_length_transformer import RunLengthTransformer
from slowae_rlt.pretrained.codecs import Codec, open_codec

CODEC_NAME = "codec.json"


class LanguageModel(NamedTuple):
    """A run-length Transformer and the codec of its events."""

    model: RunLengthTransformer
    codec: Codec
    codec_name: str


def save_language_model(folder: Path, language_model: LanguageModel) -> Path:
    """Write the weights, their configuration, `codec.json` with name and digest of the codec, and all checksums."""
    save_pretrained(folder, language_model.model, language_model.model.config)
    content = {"codec": language_model.codec_name, "digest": language_model.codec.digest().hex()}
    write_atomic(folder / CODEC_NAME, json.dumps(content, indent=2) + "\n")
    write_sums(folder)
    return folder


def open_language_model(name: str | Path) -> LanguageModel:
    """A model that `save_language_model` wrote, by its folder, that of its training run, or its shipped name.

    Raises:
        UsageError: no such model, weights that are not finite, a damaged `codec.json`, or another codec of that name.
        OnePaperError: a file is missing or damaged.
    """
    folder = find_weights(name, "slowae_rlt")
    path = folder / CODEC_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read ({error}); give the complete folder of a language model") from None
    codec_name, digest = (content.get(field) if isinstance(content, dict) else None for field in ("codec", "digest"))
    if not (isinstance(codec_name, str) and isinstance(digest, str)):
        raise UsageError(f"{path} has no codec and digest, expected those that `train` wrote; copy the folder again")
    model = load_pretrained(folder, RunLengthConfig, RunLengthTransformer)[0]
    for array, value in model_arrays(model).items():
        if not bool(jnp.isfinite(value).all()):
            raise UsageError(f"{folder}: {array} is not finite; use weights of another training")
    try:
        codec = open_codec(codec_name)
    except (OSError, ValueError) as error:  # no name of a folder
        raise UsageError(f"{path}: the codec {codec_name[:80]!r} cannot be opened ({error.args[-1]})") from None
    if codec.digest().hex() != digest:
        raise UsageError(
            f"{folder} models events of the codec '{codec_name}' with digest {digest[:16]!r}, found "
            f"{codec.digest().hex()!r}; train it on this codec"
        )
    return LanguageModel(model, codec, codec_name)
