"""The interface of text encoders, and the choice among them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from onepaper.errors import UsageError
from torch import Tensor

from imagen3.config import TextConfig


class TextFeatures(NamedTuple):
    """What a denoiser knows of a batch of texts."""

    tokens: Float[Tensor, "batch length dim"]
    """features of tokens; zero behind the end of a text"""
    mask: Bool[Tensor, "batch length"]
    """True for tokens of the text"""
    pooled: Float[Tensor, "batch dim"]
    """features of the whole text"""


Denoiser = Callable[[Tensor, Tensor, TextFeatures], Tensor]
"""A network's output from latents [batch, channels, height, width], noise levels [batch] and texts."""


@runtime_checkable
class TextEncoder(Protocol):
    """A frozen model of text."""

    dim: int

    def encode(self, texts: Sequence[str]) -> TextFeatures:
        """Features of texts; `dim` features for a token and for a whole text."""
        ...

    def count_cut(self, texts: Sequence[str]) -> int:
        """How many of the texts are longer than the encoder reads."""
        ...


def encoded_parts(texts: Sequence[str], size: int, encode: Callable[[list[str]], TextFeatures]) -> TextFeatures:
    """Features of texts, of which `encode` takes at most `size` at a time; `UsageError` without any."""
    if not texts:
        raise UsageError("there is no text to encode; give at least one prompt")
    parts = [encode(list(texts[begin : begin + size])) for begin in range(0, len(texts), size)]
    return TextFeatures(*(torch.cat(values) for values in zip(*parts, strict=True)))


def open_encoder(config: TextConfig) -> TextEncoder:
    """The text encoder of a configuration.

    Raises:
        UsageError: the folder of the model is missing, or the model has another width than `config.dim`.
    """
    if config.encoder == "words":
        from imagen3.text.words import WordEncoder

        return WordEncoder(config.max_tokens)
    assert config.path is not None
    if config.encoder == "pipeline":
        from imagen3.text.pipeline import PipelineEncoder

        return PipelineEncoder(config.path, config.dim, config.max_tokens)
    from imagen3.text.transformer import TransformerEncoder

    return TransformerEncoder(config.path, config.dim, config.max_tokens)
