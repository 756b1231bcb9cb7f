"""Completion and infilling with a trained network."""

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Bool, Int
from onepaper.config import check_positive
from onepaper.errors import UsageError

from cdcd.config import SamplingOptions
from cdcd.data.corpus import TextCodec
from cdcd.data.template import encode_template
from cdcd.diffusion.samplers import Samples, sample
from cdcd.diffusion.times import step_times
from cdcd.models.denoiser import CategoricalDiffusion


class Sampler:
    """Samples tokens of a network, compiled once for each size of batch.

    Args:
        model: the network.
        options: how the differential equation is solved; None: 200 Euler steps.
        batch_size: sequences sampled at once; affects speed and memory, not results.
    """

    def __init__(
        self, model: CategoricalDiffusion, options: SamplingOptions | None = None, batch_size: int = 64
    ) -> None:
        check_positive("batch_size", batch_size)
        options = options or SamplingOptions()
        self.model, self.options, self.batch_size = model, options, batch_size
        self._graph, self._state = nnx.split(model)
        # The compiled loop does not depend on the times, which are an argument.
        self._solver = replace(options, steps=1, spacing="warped", rho=1.0)
        self.times = step_times(model.warp.averaged(), options)

    def sample(
        self, given: Int[np.ndarray, "count length"], mask: Bool[np.ndarray, "count length"], *, seed: int = 0
    ) -> Samples:
        """Samples at the positions where the mask is true; row i depends on (seed, i), not on the others.

        Args:
            given: tokens; those where the mask is true are ignored.
            mask: true where a token is sampled.
            seed: of the noise.

        Raises:
            UsageError: shapes or tokens that the network does not have, nothing to sample, or a result that is not
                finite.
        """
        config = self.model.config
        if given.shape != mask.shape or given.shape[1:] != (config.length,) or not len(given):
            raise UsageError(
                f"given and mask have shapes {given.shape} and {mask.shape}, expected sequences of {config.length}"
            )
        if not mask.any(axis=1).all():
            raise UsageError(f"sequence {int(mask.any(axis=1).argmin())} has no position to sample; leave it out")
        known = given[~mask]
        if known.size and not (known.min() >= 0 and known.max() < config.vocab_size):
            raise UsageError(
                f"given tokens are {known.min()} to {known.max()}, expected 0 to "
                f"{config.vocab_size - 1}, the vocabulary"
            )
        keys = jax.vmap(functools.partial(jax.random.fold_in, jax.random.key(seed)))(jnp.arange(len(given)))
        size = min(self.batch_size, len(given))
        found = []
        for start in range(0, len(given), size):
            rows = np.arange(start, start + size).clip(max=len(given) - 1)  # the last batch has the same size
            part = _sample(self._graph, self._solver, self._state, given[rows], mask[rows], self.times, keys[rows])
            keep = min(size, len(given) - start)
            found.append(
                (part._replace(tokens=part.tokens[:keep], path=part.path[:, :keep], state=part.state[:keep]), keep)
            )
        joined = _join([part for part, _ in found], [keep for _, keep in found])
        if not np.isfinite(joined.entropy).all():
            step = int(np.isfinite(np.asarray(joined.entropy)).argmin())
            raise UsageError(
                f"sampling is not finite from step {step} on, at noise level {float(joined.times[step]):.3g}; use less "
                "guidance or a score_temperature nearer to 1"
            )
        return joined

    def fill(self, template: str, codec: TextCodec, count: int = 1, *, seed: int = 0) -> list[str]:
        """Texts of a template such as `The {8} of the {3} was`, or of a beginning with `{}` after it.

        Raises:
            UsageError: a wrong template, or one that does not fit.
        """
        check_positive("count", count)
        encoded = encode_template(template, codec, self.model.config.length)
        given, mask = (np.repeat(array[None], count, axis=0) for array in (encoded.tokens, encoded.mask))
        tokens = np.asarray(self.sample(given, mask, seed=seed).tokens)
        return [codec.decode(row[: encoded.shown]).removeprefix(" ") for row in tokens]


@functools.partial(jax.jit, static_argnums=(0, 1))
def _sample(graph: Any, options: SamplingOptions, state: Any, given: Any, mask: Any, times: Any, keys: Any) -> Samples:
    model: CategoricalDiffusion = nnx.merge(graph, state)
    config = model.config
    return sample(
        model.denoiser(given, mask),
        model.embeddings(),
        given,
        mask,
        times,
        keys,
        options,
        self_conditioning=config.self_conditioning,
        renormalize=config.renormalize,
        clamp=config.clamp,
    )


def _join(parts: Sequence[Samples], weights: Sequence[int]) -> Samples:
    def mean(name: str) -> Any:
        return np.average([np.asarray(getattr(part, name)) for part in parts], axis=0, weights=weights)

    tokens = np.concatenate([part.tokens for part in parts])
    path = np.concatenate([part.path for part in parts], axis=1)
    state = np.concatenate([part.state for part in parts])
    return Samples(tokens, parts[0].times, mean("entropy"), mean("changed"), path, state)  # type: ignore[arg-type]
