"""The plain decoder that the paper compares with: every input is a latent, so every layer pays for all of them.

A Perceiver AR whose latents are all of its inputs is a pre-norm decoder of depth L + 1: its cross-attention becomes a
first layer of causal self-attention. Two things tell it from a textbook's: a linear map before the first layer, and
another norm for that layer's keys and values than for its queries.
"""

from dataclasses import replace

from onepaper.errors import UsageError

from perceiver_ar.config import ModelConfig


def plain_decoder(config: ModelConfig, *, layers: int | None = None, context: int | None = None) -> ModelConfig:
    """The decoder that belongs to a Perceiver AR: the same widths and heads, a latent at every input.

    Args:
        config: of the Perceiver AR.
        layers: of the decoder, its first one being what was the cross-attention; None: as many as there, L + 1.
        context: inputs; None: as many as there.

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
