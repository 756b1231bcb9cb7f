"""Trained networks on disk: weights, configuration, the data they were trained on, and the tokenizer."""

import json
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from onepaper.config import from_dict, to_dict
from onepaper.data import write_sums
from onepaper.errors import UsageError
from onepaper.runs import write_atomic
from onepaper.weights import find_weights

from cdcd.config import AutoregressiveConfig, DataConfig, ModelConfig
from cdcd.data.corpus import TextCodec, saved_codec
from cdcd.models.autoregressive import AutoregressiveLM
from cdcd.models.denoiser import CategoricalDiffusion
from cdcd.pretrained.arrays import read_weights, write_weights

DATA_NAME = "data.json"
MODELS: dict[str, type[CategoricalDiffusion] | type[AutoregressiveLM]] = {
    "diffusion": CategoricalDiffusion,
    "autoregressive": AutoregressiveLM,
}
CONFIGS = {"diffusion": ModelConfig, "autoregressive": AutoregressiveConfig}
ModelT = TypeVar("ModelT", CategoricalDiffusion, AutoregressiveLM)


class Network(NamedTuple, Generic[ModelT]):
    """A trained model, its data and its codec."""

    model: ModelT
    data: DataConfig
    codec: TextCodec


def save_network(folder: Path, network: Network, *, half: bool = False) -> Path:
    """Write the weights, their configuration, `data.json`, the files of the tokenizer, and the checksums of all.

    Args:
        folder: is made if it is missing.
        network: what to write.
        half: see `write_weights`.
    """
    write_weights(folder, network.model, network.model.config, half=half)
    kind = next(name for name, model in MODELS.items() if isinstance(network.model, model))
    content = {"model": kind, "data": to_dict(network.data)}
    write_atomic(folder / DATA_NAME, json.dumps(content, indent=2) + "\n")
    for name, data in network.codec.tokenizer.saved_files().items():
        write_atomic(folder / name, data)
    write_sums(folder)
    return folder


def open_network(name: str | Path, wanted: type[ModelT]) -> Network[ModelT]:
    """A network that `save_network` wrote, by its folder, that of its training run, or its shipped name.

    Raises:
        UsageError: no such network, one of another kind, a file that is missing or damaged, or weights that are not
            finite.
    """
    folder = find_weights(name, "cdcd")

    def read(file: str) -> bytes:
        try:
            return (folder / file).read_bytes()
        except OSError as error:
            raise UsageError(
                f"{folder / file} cannot be read ({error.strerror}); give the complete folder of a training"
            ) from None

    try:
        content = json.loads(read(DATA_NAME))
    except ValueError as error:
        raise UsageError(f"{folder / DATA_NAME} is not valid JSON ({error}); copy the folder again") from None
    kind = content.get("model") if isinstance(content, dict) else None
    if not isinstance(kind, str) or MODELS.get(kind) is not wanted:
        expected = next(name for name, model in MODELS.items() if model is wanted)
        raise UsageError(f"{folder} holds a model of kind {kind!r}, expected {expected!r}; give other weights")
    data = from_dict(DataConfig, content.get("data"), str(folder / DATA_NAME))
    codec = saved_codec(data.tokens, read)
    model = read_weights(folder, CONFIGS[kind], wanted)
    if codec.vocab_size != model.config.vocab_size:
        raise UsageError(
            f"{folder} has a tokenizer of {codec.vocab_size} tokens, expected {model.config.vocab_size}, the "
            "vocabulary of its weights; copy the folder again"
        )
    return Network(model, data, codec)  # type: ignore[return-value]


def check_same_tokens(first: TextCodec, second: TextCodec, name: str | Path) -> None:
    """Raise `UsageError` unless two networks have the same tokenizer."""
    if first.tokenizer.saved_files() != second.tokenizer.saved_files():
        raise UsageError(
            f"weights '{name}' have another tokenizer than the network that they evaluate; train both on the same data"
        )
