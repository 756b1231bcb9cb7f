"""Drawing sequences by any sampler, with class conditions, guidance and clamped positions."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int, PRNGKeyArray
from onepaper.config import check_choice, check_positive
from onepaper.errors import OnePaperError, UsageError

from simplex_cir.config import SAMPLERS, ModelConfig, SampleOptions, check_root_shape
from simplex_cir.diffusion.posterior import (
    INVALID_TOKEN,
    UNKNOWN,
    Denoiser,
    Shape,
    ShapedDenoiser,
    condition_on_known,
    most_probable,
    shape_of,
)
from simplex_cir.diffusion.probability_flow import probability_flow
from simplex_cir.diffusion.reverse import ancestral, noise, reverse_sde
from simplex_cir.diffusion.snr import Scalar, snr_grid
from simplex_cir.models.denoiser import SimplexDenoiser

# Log probability of the other symbols at a known position.
EXCLUDED = -1e9


def guided_denoiser(
    model: SimplexDenoiser, label: Int[Array, " batch"] | None = None, guidance: float = 0.0
) -> Denoiser:
    r"""The model for a class, with self-conditioning if the model has it, and classifier-free guidance.

    With the weight w: $(1 + w) \log p(k | v, y) - w \log p(k | v)$, normalised (Ho and Salimans 2022).

    Raises:
        UsageError: a class, or guidance, for a model without classes.
    """
    if (label is not None or guidance) and not model.config.num_classes:
        raise UsageError("the model has no classes, expected no label and no guidance")

    def log_probs(v: Array, snr: Scalar, label: Array | None) -> Array:
        self_cond = jnp.exp(model(v, snr, label)) if model.config.self_conditioning else None
        return model(v, snr, label, self_cond)

    def denoiser(v: Array, snr: Scalar) -> Array:
        conditional = log_probs(v, snr, label)
        if label is None or not guidance:
            return conditional
        return jax.nn.log_softmax((1 + guidance) * conditional - guidance * log_probs(v, snr, None), axis=-1)

    return denoiser


def clamped(denoiser: Denoiser, known: Int[Array, " positions"], a: Shape | None = None) -> ShapedDenoiser:
    """The denoiser given some tokens exactly; `UNKNOWN` marks positions to fill in.

    Known tokens enter by `condition_on_known` in place of their noisy vectors, which at a low SNR hardly depend on the
    token. The output for the other positions is then conditional on the known tokens, so the samplers reverse the noise
    of the conditional distribution. The known positions follow their forward process, by bridges to their tokens.

    Raises:
        UsageError: tokens below `UNKNOWN`, or to which an oracle model gives probability 0; on the first call, tokens
            out of range, or another number of positions.
    """
    a = shape_of(denoiser, a)
    is_known = known != UNKNOWN
    concrete = np.zeros(1, int) if isinstance(known, Tracer) or not known.size else np.asarray(known)
    lowest, highest = int(concrete.min()), int(concrete.max())
    if lowest < UNKNOWN:
        raise UsageError(f"a known token is {lowest}, expected tokens or UNKNOWN, {UNKNOWN}")

    admits = getattr(denoiser, "admits", None)
    categories = getattr(denoiser, "num_categories", highest + 1)
    if admits is not None and not isinstance(known, Tracer) and highest < categories and not admits(np.asarray(known)):
        raise UsageError(
            f"known tokens are {np.asarray(known).tolist()}, which have probability 0 under the prior; expected a part "
            "of a possible sequence"
        )

    def clamped_denoiser(v: Array, snr: Scalar) -> Array:
        if known.shape != v.shape[-2:-1]:
            raise UsageError(f"known tokens have shape {known.shape}, expected one for each of {v.shape[-2]} positions")
        if highest >= v.shape[-1]:
            raise UsageError(f"a known token is {highest}, expected 0 to {v.shape[-1] - 1} or UNKNOWN, {UNKNOWN}")
        known_log_probs = jnp.where(jax.nn.one_hot(known, v.shape[-1], dtype=v.dtype) > 0, 0.0, EXCLUDED)
        return jnp.where(is_known[:, None], known_log_probs, denoiser(*condition_on_known(known, is_known, v, snr, a)))

    return ShapedDenoiser(clamped_denoiser, a)


def draw(
    key: PRNGKeyArray,
    denoiser: Denoiser,
    shape: tuple[int, int, int],
    *,
    a: Shape | None = None,
    sampler: str = "ancestral",
    steps: int = 64,
    lowest_snr: float = 1e-2,
    highest_snr: float = 60.0,
    dilation: float = 1.0,
    temperature: Scalar = 1.0,
) -> Int[Array, "count positions"]:
    """Draw sequences by any sampler.

    Args:
        denoiser: log probabilities of tokens.
        shape: count, positions, categories.
        a: stationary shapes, one or one for each category; by default those of the denoiser.
        sampler: one of `config.SAMPLERS`.
        steps: number of steps.
        lowest_snr: SNR of the first level.
        highest_snr: SNR of the last level.
        dilation: how much closer steps are in the upper half of the log SNRs (`diffusion.snr.snr_grid`).
        temperature: probabilities are raised to its inverse, above 0.

    Returns:
        Tokens, `diffusion.posterior.INVALID_TOKEN` where a discretisation has diverged to NaN.

    Raises:
        UsageError: no such sampler, one that the shape a does not allow, shapes that are not those of the denoiser, or
            a temperature that is not above 0.
    """
    a = shape_of(denoiser, a)
    if min(shape) < 0 or shape[-1] < 1:
        raise UsageError(f"shape is {shape}, expected numbers of sequences, positions and categories")
    start_key, key = jax.random.split(key)
    v = noise(start_key, shape, a)
    grid = snr_grid(steps, lowest=lowest_snr, highest=highest_snr, dilation=dilation)
    return integrate(key, denoiser, v, grid, a, sampler=sampler, temperature=temperature)[0]


def draw_by_steps(
    key: PRNGKeyArray,
    denoiser: Denoiser,
    shape: tuple[int, ...],
    *,
    a: Shape | None = None,
    sampler: str = "ancestral",
    steps: int = 64,
    lowest_snr: float = 1e-2,
    highest_snr: float = 60.0,
) -> Int[Array, "..."]:
    """As `draw`, one step at a time, so that one compiled step of a denoiser is used for any number of steps."""
    a = shape_of(denoiser, a)
    start_key, *keys = jax.random.split(key, steps + 1)
    v = noise(start_key, shape, a)
    grid = jnp.asarray(snr_grid(steps, lowest=lowest_snr, highest=highest_snr), v.dtype)
    shapes = a if isinstance(a, float) else tuple(np.ravel(a).tolist())
    for step_key, snr, next_snr in zip(keys, grid[:-1], grid[1:], strict=True):
        v = _step(step_key, v, snr, next_snr, shapes, denoiser=denoiser, sampler=sampler)
    return _most_probable(v, grid[-1], denoiser=denoiser)


def integrate(
    key: PRNGKeyArray,
    denoiser: Denoiser,
    v: Float[Array, "*batch n"],
    snrs: Float[ArrayLike, " levels"],
    a: Shape | None = None,
    *,
    sampler: str = "ancestral",
    temperature: Scalar = 1.0,
) -> tuple[Int[Array, "*batch"], Float[Array, "*batch n"]]:
    """Integrate from snrs[0] to snrs[-1] by any sampler; returns tokens and vectors there.

    Raises:
        UsageError: no such sampler, one that the shape a does not allow, shapes that are not those of the denoiser, or
            a temperature that is not above 0.
    """
    a = shape_of(denoiser, a)
    check_choice("sampler", sampler, SAMPLERS)
    if not isinstance(temperature, Tracer):
        check_positive("temperature", float(np.min(temperature)))
    if sampler == "ancestral":
        return ancestral(key, denoiser, v, snrs, a, temperature=temperature)

    def tempered(v: Array, snr: Scalar) -> Array:
        return jax.nn.log_softmax(denoiser(v, snr) / temperature, axis=-1)

    if sampler.startswith("flow-"):
        return probability_flow(tempered, v, snrs, a, method=sampler.removeprefix("flow-"))
    return reverse_sde(key, tempered, v, snrs, a, scheme=sampler)


@partial(jax.jit, static_argnames=("a", "denoiser", "sampler"))
def _step(
    key: PRNGKeyArray,
    v: Array,
    snr: Array,
    next_snr: Array,
    a: float | tuple[float, ...],
    *,
    denoiser: Denoiser,
    sampler: str,
) -> Array:
    return integrate(key, denoiser, v, jnp.stack([snr, next_snr]), a, sampler=sampler)[1]


@partial(jax.jit, static_argnames="denoiser")
def _most_probable(v: Array, snr: Array, *, denoiser: Denoiser) -> Array:
    return most_probable(denoiser(v, snr))


def parse_clamp(text: str, symbols: str, positions: int) -> Int[np.ndarray, " positions"]:
    """Known tokens from text in which '?' stands for a symbol to fill in.

    Raises:
        UsageError: another length, or a symbol that the model does not have.
    """
    if len(text) != positions:
        raise UsageError(f"--clamp has {len(text)} symbols, expected {positions}; '?' stands for one to fill in")
    for symbol in text:
        if symbol != "?" and symbol not in symbols:
            raise UsageError(f"--clamp has {symbol!r}, expected symbols of {symbols!r} or '?'")
    return np.array([UNKNOWN if symbol == "?" else symbols.index(symbol) for symbol in text])


def known_tokens(config: ModelConfig, options: SampleOptions) -> Int[np.ndarray, " positions"] | None:
    """The known tokens in the options; None without a clamp.

    Raises:
        UsageError: a class, a clamp or a sampler that does not fit the model.
    """
    if options.label is not None and not 0 <= options.label < config.num_classes:
        raise UsageError(f"label {options.label} does not exist, the model has {config.num_classes} classes")
    if options.sampler == "implicit-root":
        check_root_shape(float(np.min(config.a)))
    return None if options.clamp is None else parse_clamp(options.clamp, config.symbols, config.positions)


def conditional_denoiser(model: SimplexDenoiser, options: SampleOptions) -> Denoiser:
    """The model with the class, guidance and known tokens of the options."""
    known = known_tokens(model.config, options)
    label = None if options.label is None else jnp.full(options.count, options.label)
    denoiser = guided_denoiser(model, label, options.guidance)
    return denoiser if known is None else clamped(denoiser, jnp.asarray(known), model.config.a)


@lru_cache(maxsize=16)
def _compiled(options: SampleOptions) -> Callable[[SimplexDenoiser, PRNGKeyArray, float], Array]:
    """The compiled sampler for some options, kept for further calls."""

    @jax.jit
    def run(model: SimplexDenoiser, key: PRNGKeyArray, temperature: Array) -> Array:
        config = model.config
        return draw(
            key,
            conditional_denoiser(model, options),
            (options.count, config.positions, config.num_categories),
            a=config.a,
            sampler=options.sampler,
            steps=options.steps,
            dilation=options.dilation,
            temperature=temperature,
        )

    return run


def draw_from(model: SimplexDenoiser, options: SampleOptions) -> Int[np.ndarray, "count positions"]:
    """Draw sequences from a model with the settings of `options`.

    Raises:
        UsageError: a class or a clamp that does not fit the model.
        OnePaperError: a discretisation diverged to NaN.
    """
    run = _compiled(replace(options, seed=0, temperature=1.0))
    tokens = np.asarray(run(model, jax.random.key(options.seed), options.temperature))
    lost = (tokens == INVALID_TOKEN).any(axis=1).sum()
    if lost:
        raise OnePaperError(
            f"{options.sampler} diverged to NaN on {lost} of {options.count} sequences in {options.steps} steps; use "
            "more steps or the sampler ancestral"
        )
    return tokens
