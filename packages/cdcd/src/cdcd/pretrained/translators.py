"""Trained translation networks on disk: weights, configuration, the data they were trained on, and the tokenizer."""

import json
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from onepaper.config import from_dict, to_dict
from onepaper.data import write_sums
from onepaper.errors import UsageError
from onepaper.runs import write_atomic
from onepaper.text import open_tokenizer
from onepaper.weights import find_weights

from cdcd.config import CausalTranslationConfig, PairsConfig, TranslationConfig
from cdcd.data.sentences import SentenceCodec
from cdcd.models.causal_translation import CausalTranslator
from cdcd.models.translation import TranslationDiffusion
from cdcd.pretrained.arrays import read_weights, write_weights

DATA_NAME = "pairs.json"
MODELS: dict[str, tuple[type[Any], type[Any]]] = {
    "translation": (TranslationDiffusion, TranslationConfig),
    "causal translation": (CausalTranslator, CausalTranslationConfig),
}
ModelT = TypeVar("ModelT", TranslationDiffusion, CausalTranslator)


class TranslationNetwork(NamedTuple, Generic[ModelT]):
    """A trained model, its data and its codec."""

    model: ModelT
    data: PairsConfig
    codec: SentenceCodec


def save_translator(folder: Path, network: TranslationNetwork, *, half: bool = False) -> Path:
    """Write the weights, their configuration, `pairs.json`, the tokenizer, and the checksums of all.

    Args:
        folder: is made if it is missing.
        network: what to write.
        half: see `write_weights`.
    """
    write_weights(folder, network.model, network.model.config, half=half)
    kind = next(name for name, (model, _) in MODELS.items() if isinstance(network.model, model))
    content = {"model": kind, "data": to_dict(network.data)}
    write_atomic(folder / DATA_NAME, json.dumps(content, indent=2) + "\n")
    for name, data in network.codec.tokenizer.saved_files().items():
        write_atomic(folder / name, data)
    write_sums(folder)
    return folder


def open_translator(name: str | Path, wanted: type[ModelT]) -> TranslationNetwork[ModelT]:
    """A network that `save_translator` wrote, by its folder, that of its training run, or its shipped name.

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
                f"{folder / file} cannot be read ({error.strerror}); give the complete folder of a training of "
                "translation"
            ) from None

    try:
        content = json.loads(read(DATA_NAME))
    except ValueError as error:
        raise UsageError(f"{folder / DATA_NAME} is not valid JSON ({error}); copy the folder again") from None
    kind = content.get("model") if isinstance(content, dict) else None
    expected, config_type = next((name, config) for name, (model, config) in MODELS.items() if model is wanted)
    if kind != expected:
        raise UsageError(f"{folder} holds a model of kind {kind!r}, expected {expected!r}; give other weights")
    data = from_dict(PairsConfig, content.get("data"), str(folder / DATA_NAME))
    codec = SentenceCodec(open_tokenizer("pieces", read))
    model = read_weights(folder, config_type, wanted)
    if codec.vocab_size != model.config.vocab_size:
        raise UsageError(
            f"{folder} has a tokenizer of {codec.vocab_size} tokens, expected {model.config.vocab_size}, the "
            "vocabulary of its weights; copy the folder again"
        )
    return TranslationNetwork(model, data, codec)
