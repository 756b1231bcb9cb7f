"""The decoder-only Transformer that the paper compares with: a Perceiver AR with a latent at every input.

A Perceiver AR whose latents are all of its inputs is a pre-norm decoder of depth L + 1: its cross-attention becomes a
first layer of causal self-attention. It differs from the usual decoder in two details: a linear map before the first
layer, and separate norms for that layer's queries and for its keys and values.
"""

from dataclasses import replace

from onepaper.errors import UsageError

from perceiver_ar.config import ModelConfig


def plain_decoder(config: ModelConfig, *, layers: int | None = None, context: int | None = None) -> ModelConfig:
    """The configuration of a decoder with the widths and heads of a Perceiver AR, and a latent at every input.

    Args:
        config: of the Perceiver AR.
        layers: of the decoder, including the former cross-attention; None: L + 1.
        context: number of inputs; None: unchanged.

    Raises:
        UsageError: no layer, or inputs of another width than the latents, which a decoder cannot have.
    """
    if config.input_dim != config.width:
        raise UsageError(
            f"input_width is {config.input_dim}, expected the width, {config.width}: a decoder has one width"
        )
    count = config.depth + 1 if layers is None else layers
    if count < 1:
        raise UsageError(f"layers is {count}, expected at least 1")
    length = config.context_length if context is None else context
    return replace(
        config,
        context_length=length,
        num_latents=length,
        depth=count - 1,
        prefix_dropout=0.0,
        max_wavelength=max(config.max_wavelength, float(length)) if config.max_wavelength else 0.0,
    )
