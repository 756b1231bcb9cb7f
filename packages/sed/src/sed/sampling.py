"""Unconditional samples, completions and infilling with a trained network."""

import functools
import logging
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Int
from onepaper.config import check_positive
from onepaper.errors import UsageError

from sed.config import SamplingOptions
from sed.data.corpus import TextCodec
from sed.data.template import encode_template
from sed.diffusion.samplers import check_finite, sample, sample_tokens, step_table
from sed.models.denoiser import EmbeddingDiffusion

# A token that is more than this part of all sampled ones has taken over; of English words none is above a tenth.
LARGEST_SHARE = 0.5

# Fewer sampled tokens than this may be equal by chance.
FEWEST_TOKENS = 64

Tokens = Int[np.ndarray, "count length"]


class Drawn(NamedTuple):
    """Sampled tokens, and those of the estimates at each step if they were asked for, [steps, count, length]."""

    tokens: Tokens
    path: Int[np.ndarray, "steps count length"] | None


class Sampler:
    """Samples tokens of a network, compiled once for each size of batch.

    Args:
        model: the network.
        options: how noise becomes text; None: the posterior in all steps of the schedule.
        batch_size: sequences sampled at once; affects speed and memory, not results.

    Raises:
        UsageError: more steps than the schedule has.
    """

    def __init__(self, model: EmbeddingDiffusion, options: SamplingOptions | None = None, batch_size: int = 64) -> None:
        check_positive("batch_size", batch_size)
        options = options or SamplingOptions(steps=model.config.schedule.steps)
        self.model, self.options, self.batch_size = model, options, batch_size
        self._graph, self._state = nnx.split(model)
        self.steps = step_table(model.schedule, options)
        # The compiled loop does not depend on what is in the steps, which are an argument.
        self._compiled = replace(options, steps=1, sampler="ddpm")

    def sample(
        self, tokens: Tokens, cond_mask: Bool[np.ndarray, "count length"], *, seed: int = 0, keep_path: bool = False
    ) -> Drawn:
        """Samples where nothing is given; row i depends on (seed, i), not on the others.

        Args:
            tokens: those that are given; others are ignored.
            cond_mask: true where a token is given. A row that is given completely comes back as it is.
            seed: of the noise.
            keep_path: also return the tokens of the estimates at each step.

        Raises:
            UsageError: shapes or tokens that the network does not have, or a result that is not finite.
        """
        config = self.model.config
        if tokens.shape != cond_mask.shape or tokens.shape[1:] != (config.length,) or not len(tokens):
            raise UsageError(
                f"tokens and cond_mask have shapes {tokens.shape} and {cond_mask.shape}, expected sequences of "
                f"{config.length}"
            )
        known = tokens[cond_mask]
        if known.size and not (known.min() >= 0 and known.max() < config.vocab_size):
            raise UsageError(
                f"given tokens are {known.min()} to {known.max()}, expected 0 to {config.vocab_size - 1}, the "
                "vocabulary"
            )
        keys = jax.vmap(functools.partial(jax.random.fold_in, jax.random.key(seed)))(jnp.arange(len(tokens)))
        given = np.where(cond_mask, tokens, 0)
        size = min(self.batch_size, len(tokens))
        parts, paths = [], []
        for start in range(0, len(tokens), size):
            rows = np.arange(start, start + size).clip(max=len(tokens) - 1)  # the last batch has the same size
            found, finite, path = _sample(
                self._graph,
                self._compiled,
                keep_path,
                self._state,
                given[rows],
                cond_mask[rows],
                self.steps,
                keys[rows],
            )
            check_finite(np.asarray(finite), self.steps)
            keep = min(size, len(tokens) - start)
            parts.append(np.asarray(found)[:keep])
            paths.append(None if path is None else np.asarray(path)[:, :keep])
        result = np.concatenate(parts)
        self._warn(result[~cond_mask])
        return Drawn(result, np.concatenate(paths, axis=1) if keep_path else None)  # type: ignore[arg-type]

    def _warn(self, sampled: Int[np.ndarray, " tokens"]) -> None:
        """Log a warning when one token has taken over."""
        if len(sampled) < FEWEST_TOKENS:
            return
        values, counts = np.unique(sampled, return_counts=True)
        if (share := counts.max() / len(sampled)) > LARGEST_SHARE:
            logging.getLogger(__name__).warning(
                "%.0f%% of the sampled tokens are number %d; use less guidance, more steps, or a network trained for "
                "longer", 100 * share, values[counts.argmax()],
            )  # fmt: skip

    def unconditional(self, count: int, *, seed: int = 0) -> Tokens:
        """Samples of which nothing is given."""
        shape = (count, self.model.config.length)
        return self.sample(np.zeros(shape, np.int32), np.zeros(shape, bool), seed=seed).tokens

    def fill(self, template: str, codec: TextCodec, count: int = 1, *, seed: int = 0) -> list[str]:
        """Texts of a template such as `Once [[8]] lived a [[3]].`, without padding.

        Raises:
            UsageError: a wrong template, or one that does not fit.
        """
        check_positive("count", count)
        encoded = encode_template(template, codec, self.model.config.length)
        given, cond_mask = (np.repeat(array[None], count, axis=0) for array in (encoded.tokens, encoded.cond_mask))
        tokens = self.sample(given, cond_mask, seed=seed).tokens
        return [codec.decode(row[: encoded.shown]).removeprefix(" ") for row in tokens]


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _sample(
    graph: Any,
    options: SamplingOptions,
    keep_path: bool,
    state: Any,
    tokens: Any,
    cond_mask: Any,
    steps: Any,
    keys: Any,
) -> tuple[Any, Any, Any]:
    model: EmbeddingDiffusion = nnx.merge(graph, state)
    offset_keys = model.offset_keys()  # the same in all steps

    def denoiser(x_t: Array, cond: Array, cond_mask: Array, x_self: Array, t: Array) -> Array:
        return model(x_t, cond, cond_mask, x_self, t, offset_keys)

    found = sample(denoiser, model.table[...], tokens, cond_mask, steps, keys, options, keep_path=keep_path)
    path = None if found.path is None else jax.lax.map(model.decode, found.path)
    return sample_tokens(model.decode, found, tokens, cond_mask), found.finite, path
