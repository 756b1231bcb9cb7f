"""Samplers for any denoiser (paper, sections 3.1 and 3.2).

The denoiser may be a trained network or the exact posterior mean of a toy problem (`sed.diffusion.bayes`).

Axes: B batch, L length, D embedding, S steps.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray
from onepaper.errors import UsageError

from sed.config import SamplingOptions
from sed.diffusion.embeddings import nearest_tokens
from sed.diffusion.schedule import Schedule


@runtime_checkable
class Denoiser(Protocol):
    """Estimates clean embeddings."""

    def __call__(
        self,
        x_t: Float[Array, "batch length embed"],
        cond: Float[Array, "batch length embed"],
        cond_mask: Bool[Array, "batch length"],
        x_self: Float[Array, "batch length embed"],
        t: Int[Array, " batch"],
    ) -> Float[Array, "batch length embed"]:
        """Estimates, from noisy embeddings, those of given tokens (or zeros) and where they are, the previous estimate
        (or zeros), and the steps 1 to T."""
        ...


class StepTable(NamedTuple):
    """Steps of a sampler, from T down to 1, and the numbers of each: x' = a x_0 + b x_t + c z."""

    t: Int[np.ndarray, " steps"]
    of_x_0: Float[np.ndarray, " steps"]
    of_x_t: Float[np.ndarray, " steps"]
    std: Float[np.ndarray, " steps"]


class Samples(NamedTuple):
    """What a sampler returns.

    Attributes:
        x_0: the last estimates.
        finite: whether all estimates of each step are finite.
        path: the estimates of each step, [steps, batch, length, embed], if they were asked for.
    """

    x_0: Float[Array, "batch length embed"]
    finite: Bool[Array, " steps"]
    path: Float[Array, "steps batch length embed"] | None


def step_table(schedule: Schedule, options: SamplingOptions) -> StepTable:
    r"""The numbers of all steps, computed in float64.

    ddpm is the posterior; ddim keeps the noise that the estimate implies:
    $\sqrt{\bar\alpha_{t'}}\, x_0 + \sqrt{\frac{1 - \bar\alpha_{t'}}{1 - \bar\alpha_t}} (x_t - \sqrt{\bar\alpha_t}\,
    x_0)$. In the last step both give $x_0$.

    Raises:
        UsageError: more steps than T.
    """
    times = schedule.respaced(options.steps)[::-1]
    t, t_prev = times[:-1], times[1:]
    now, before = schedule.alpha_bar[t], schedule.alpha_bar[t_prev]
    if options.sampler == "ddpm":
        numbers = tuple(schedule.coefficients(t, t_prev))
    else:
        kept = np.sqrt((1 - before) / (1 - now))
        numbers = (np.sqrt(before) - kept * np.sqrt(now), kept, np.zeros(len(t)))
    return StepTable(t.astype(np.int32), *(number.astype(np.float32) for number in numbers))


def guide(conditional: Array, unconditional: Array, scale: float) -> Array:
    """u + s (k - u) (paper, eq. 6): u for s = 0, k for s = 1."""
    return unconditional + scale * (conditional - unconditional)


def sample(
    denoiser: Denoiser,
    table: Float[Array, "vocab embed"],
    tokens: Int[Array, "batch length"],
    cond_mask: Bool[Array, "batch length"],
    steps: StepTable,
    keys: PRNGKeyArray,
    options: SamplingOptions,
    *,
    keep_path: bool = False,
) -> Samples:
    """From noise to estimates of clean embeddings, in one compiled loop.

    Args:
        denoiser: estimates clean embeddings.
        table: embeddings of the tokens, rows of equal norm.
        tokens: those that are given; others are ignored.
        cond_mask: true where a token is given.
        steps: of `step_table`.
        keys: one for each sequence, which therefore does not depend on the rest of the batch.
        options: guidance, self-conditioning, clamping and initial scale; steps and sampler are in `steps`.
        keep_path: also return the estimates of each step.
    """
    shape = (*tokens.shape, table.shape[-1])
    cond = jnp.where(cond_mask[..., None], table[tokens], 0.0)
    infill = ~cond_mask[..., None]

    def estimate(x_t: Array, x_self: Array, t: Array) -> tuple[Array, Array]:
        """The estimate and what is fed back."""
        times = jnp.full(len(tokens), t)
        if options.guidance == 1.0:
            found = conditional = denoiser(x_t, cond, cond_mask, x_self, times)
        else:
            # Both branches as one batch; the second has neither given tokens nor an own estimate.
            pairs = [jnp.concatenate(pair) for pair in (
                (x_t, x_t), (cond, jnp.zeros_like(cond)), (cond_mask, cond_mask), (x_self, jnp.zeros_like(x_self)),
                (times, times),
            )]  # fmt: skip
            conditional, unconditional = jnp.split(denoiser(*pairs), 2)
            found = guide(conditional, unconditional, options.guidance)
        if options.clamp_below:
            found, conditional = (
                jnp.where(t <= options.clamp_below, table[nearest_tokens(x, table)], x) for x in (found, conditional)
            )
        fed_back = found if options.guided_estimate else conditional
        return found, infill * fed_back if options.self_conditioning else jnp.zeros_like(found)

    def step(carry: tuple[Array, Array, Array], numbers: tuple[Array, ...]) -> tuple[tuple[Array, Array, Array], tuple]:
        x_t, x_self, _ = carry
        number, t, of_x_0, of_x_t, std = numbers
        found, fed_back = estimate(x_t, x_self, t)
        noise = jax.vmap(lambda key: jax.random.normal(jax.random.fold_in(key, number), shape[1:]))(keys)
        x_t = of_x_0 * found + of_x_t * x_t + std * noise
        outputs = (jnp.isfinite(found).all(), found if keep_path else None)
        return (infill * x_t, fed_back, found), outputs

    start = jax.vmap(lambda key: jax.random.normal(jax.random.fold_in(key, 0), shape[1:]))(keys)
    zeros = jnp.zeros(shape, table.dtype)
    numbered = (jnp.arange(1, len(steps.t) + 1), *map(jnp.asarray, steps))
    (_, _, x_0), (finite, path) = jax.lax.scan(step, (infill * options.initial_scale * start, zeros, zeros), numbered)
    return Samples(x_0, finite, path)


def sample_tokens(decode: Callable[[Array], Array], found: Samples, tokens: Array, cond_mask: Array) -> Array:
    """The tokens of the last estimates; given ones are kept."""
    return jnp.where(cond_mask, tokens, decode(found.x_0)).astype(jnp.int32)


def check_finite(finite: Bool[np.ndarray, " steps"], steps: StepTable) -> None:
    """Raise `UsageError` with the first step whose estimates are not finite."""
    if not finite.all():
        raise UsageError(
            f"sampling is not finite from step {int(steps.t[int(finite.argmin())])} on; use less guidance or other "
            "weights"
        )
