"""Continuations of prompts, and the samples that are drawn during training."""

from collections.abc import Sequence

import jax
import numpy as np

from perceiver_ar.config import SOS, SamplingOptions
from perceiver_ar.data.corpus import Codec, Tokens
from perceiver_ar.data.formats import SampleFormat, sample_format
from perceiver_ar.generation.decode import Sampler
from perceiver_ar.models.perceiver_ar import PerceiverAR


def make_sampler(model: PerceiverAR, codec: Codec | None, options: SamplingOptions, reset_fill: int = 0) -> Sampler:
    """A sampler of the codec's tokens, or of the copy task; `reset_fill` 0 resets with half of the latents."""
    return Sampler(
        model,
        options,
        reset_fill=reset_fill or None,
        allowed=None if codec is None else codec.allowed,
        coordinates=codec.coordinates if codec is not None and model.config.needs_coordinates else None,
    )


def continuations(
    data_format: SampleFormat, sampler: Sampler, prompts: Sequence[Tokens], max_tokens: int, seed: int
) -> list[Tokens]:
    """Each prompt with the tokens sampled after it, without SOS and EOS.

    Args:
        data_format: of the network's data.
        sampler: of the network.
        prompts: with SOS, equally long.
        max_tokens: the most to sample for each; where all sequences are equally long, what is missing is
            sampled instead.
        seed: of the sampling.
    """
    missing = max_tokens if data_format.num_symbols is None else data_format.num_symbols - (len(prompts[0]) - 1)
    drawn = sampler.generate([p.tolist() for p in prompts], missing, jax.random.key(seed), stop=data_format.stop)
    return [np.concatenate([prompt[1:], rest]) for prompt, rest in zip(prompts, drawn, strict=True)]


class SampleLogger:
    """Samples of a network during training, from the same random numbers every time, as files by name.

    Args:
        codec: of the network's data.
        count: number of sequences.
        options: of the sampling.
        max_tokens: the most tokens of a sequence.
    """

    def __init__(self, codec: Codec, count: int, options: SamplingOptions, max_tokens: int) -> None:
        self.codec, self.count, self.options, self.max_tokens = codec, count, options, max_tokens
        self._sampler: Sampler | None = None

    def __call__(self, model: PerceiverAR) -> dict[str, bytes]:
        """Samples of these weights."""
        if self._sampler is None:
            self._sampler = make_sampler(model, self.codec, self.options)
        self._sampler.set_weights(model)
        shown = sample_format(self.codec, model.config)
        samples = continuations(shown, self._sampler, [np.array([SOS])] * self.count, self.max_tokens, 0)
        return dict(shown.files(samples))
