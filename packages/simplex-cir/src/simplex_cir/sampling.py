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
from simplex_cir.diffusion.posterior import LOST, Denoiser, most_probable, told
from simplex_cir.diffusion.probability_flow import probability_flow
from simplex_cir.diffusion.reverse import ancestral, noise, reverse_sde
from simplex_cir.diffusion.snr import Scalar, snr_grid
from simplex_cir.models.denoiser import SimplexDenoiser

UNKNOWN = -1
# Log probability of a symbol that a clamp excludes.
NEVER = -1e9


def conditioned(model: SimplexDenoiser, label: Int[Array, " batch"] | None = None, guidance: float = 0.0) -> Denoiser:
    r"""The model given a class, with self-conditioning if it has it, and guidance:
    $(1 + w) \log p(k | v, y) - w \log p(k | v)$, normalised.

    Raises:
        UsageError: a class, or guidance, for a model without classes.
    """
    if (label is not None or guidance) and not model.config.num_classes:
        raise UsageError("the model knows no classes, expected no label and no guidance")

    def once(v: Array, snr: Scalar, label: Array | None) -> Array:
        earlier = jnp.exp(model(v, snr, label)) if model.config.self_conditioning else None
        return model(v, snr, label, earlier)

    def denoiser(v: Array, snr: Scalar) -> Array:
        conditional = once(v, snr, label)
        if label is None or not guidance:
            return conditional
        return jax.nn.log_softmax((1 + guidance) * conditional - guidance * once(v, snr, None), axis=-1)

    return denoiser


def clamped(denoiser: Denoiser, known: Int[Array, " positions"], a: float = 1.0) -> Denoiser:
    """The same, sure of the known tokens; `UNKNOWN` marks those to fill in.

    The denoiser is told the known tokens (`told`) in place of their noisy vectors, which at a low SNR hardly say what
    is known. What it gives for the others is then conditional on the known tokens, so that the samplers reverse the
    noise of the conditional law. The known positions themselves follow their forward law, by bridges to their tokens.

    Raises:
        UsageError: tokens below `UNKNOWN`; when it is called, tokens that do not exist, or another number of positions.
    """
    given = known != UNKNOWN
    told_tokens = np.zeros(1, int) if isinstance(known, Tracer) or not known.size else np.asarray(known)
    lowest, highest = int(told_tokens.min()), int(told_tokens.max())
    if lowest < UNKNOWN:
        raise UsageError(f"a known token is {lowest}, expected tokens or UNKNOWN, {UNKNOWN}")

    def sure(v: Array, snr: Scalar) -> Array:
        if known.shape != v.shape[-2:-1]:
            raise UsageError(f"known tokens have shape {known.shape}, expected one for each of {v.shape[-2]} positions")
        if highest >= v.shape[-1]:
            raise UsageError(f"a known token is {highest}, expected 0 to {v.shape[-1] - 1} or UNKNOWN, {UNKNOWN}")
        certain = jnp.where(jax.nn.one_hot(known, v.shape[-1], dtype=v.dtype) > 0, 0.0, NEVER)
        return jnp.where(given[:, None], certain, denoiser(*told(known, given, v, snr, a)))

    return sure


def draw(
    key: PRNGKeyArray,
    denoiser: Denoiser,
    shape: tuple[int, int, int],
    *,
    a: float = 1.0,
    sampler: str = "ancestral",
    steps: int = 64,
    lowest_snr: float = 1e-2,
    highest_snr: float = 60.0,
    dilation: float = 1.0,
    temperature: Scalar = 1.0,
) -> Int[Array, "count positions"]:
    """Sequences by any sampler.

    Args:
        denoiser: log probabilities of tokens.
        shape: count, positions, categories.
        a: stationary shape.
        sampler: one of `config.SAMPLERS`.
        steps: SNR levels to go through.
        lowest_snr: where to start.
        highest_snr: where to end.
        dilation: how much closer steps lie in the upper half of the log SNRs (`snr.snr_grid`).
        temperature: probabilities are raised to its inverse, above 0.

    Returns:
        Tokens, `posterior.LOST` for those of a path that a discretisation has lost.

    Raises:
        UsageError: no such sampler, one that the shape a does not allow, or a temperature that is not above 0.
    """
    if min(shape) < 0 or shape[-1] < 1:
        raise UsageError(f"shape is {shape}, expected numbers of sequences, positions and categories")
    start_key, key = jax.random.split(key)
    v = noise(start_key, shape, a)
    grid = snr_grid(steps, lowest=lowest_snr, highest=highest_snr, dilation=dilation)
    return carry(key, denoiser, v, grid, a, sampler=sampler, temperature=temperature)[0]


def draw_by_steps(
    key: PRNGKeyArray,
    denoiser: Denoiser,
    shape: tuple[int, ...],
    *,
    a: float = 1.0,
    sampler: str = "ancestral",
    steps: int = 64,
    lowest_snr: float = 1e-2,
    highest_snr: float = 60.0,
) -> Int[Array, "..."]:
    """As `draw`, one step at a time: what is compiled for a denoiser serves every number of steps."""
    start_key, *keys = jax.random.split(key, steps + 1)
    v = noise(start_key, shape, a)
    grid = jnp.asarray(snr_grid(steps, lowest=lowest_snr, highest=highest_snr), v.dtype)
    for step_key, snr, next_snr in zip(keys, grid[:-1], grid[1:], strict=True):
        v = _step(step_key, v, snr, next_snr, a, denoiser=denoiser, sampler=sampler)
    return _most_probable(v, grid[-1], denoiser=denoiser)


def carry(
    key: PRNGKeyArray,
    denoiser: Denoiser,
    v: Float[Array, "*batch n"],
    snrs: Float[ArrayLike, " levels"],
    a: float | Float[Array, ""] = 1.0,
    *,
    sampler: str = "ancestral",
    temperature: Scalar = 1.0,
) -> tuple[Int[Array, "*batch"], Float[Array, "*batch n"]]:
    """Tokens and vectors at snrs[-1] from vectors at snrs[0], by any sampler.

    Raises:
        UsageError: no such sampler, one that the shape a does not allow, or a temperature that is not above 0.
    """
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
    key: PRNGKeyArray, v: Array, snr: Array, next_snr: Array, a: float, *, denoiser: Denoiser, sampler: str
) -> Array:
    return carry(key, denoiser, v, jnp.stack([snr, next_snr]), a, sampler=sampler)[1]


@partial(jax.jit, static_argnames="denoiser")
def _most_probable(v: Array, snr: Array, *, denoiser: Denoiser) -> Array:
    return most_probable(denoiser(v, snr))


def parse_clamp(text: str, symbols: str, positions: int) -> Int[np.ndarray, " positions"]:
    """Known tokens from text in which '?' stands for a symbol to fill in.

    Raises:
        UsageError: another length, or a symbol the model does not know.
    """
    if len(text) != positions:
        raise UsageError(f"--clamp has {len(text)} symbols, expected {positions}; '?' stands for one to fill in")
    for symbol in text:
        if symbol != "?" and symbol not in symbols:
            raise UsageError(f"--clamp has {symbol!r}, expected symbols of {symbols!r} or '?'")
    return np.array([UNKNOWN if symbol == "?" else symbols.index(symbol) for symbol in text])


def known_tokens(config: ModelConfig, options: SampleOptions) -> Int[np.ndarray, " positions"] | None:
    """The clamp of the options as tokens, None where there is none.

    Raises:
        UsageError: a class, a clamp or a sampler that a model of that configuration does not have.
    """
    if options.label is not None and not 0 <= options.label < config.num_classes:
        raise UsageError(f"label {options.label} does not exist, the model has {config.num_classes} classes")
    if options.sampler == "implicit-root":
        check_root_shape(config.a)
    return None if options.clamp is None else parse_clamp(options.clamp, config.symbols, config.positions)


def constrained(model: SimplexDenoiser, options: SampleOptions) -> Denoiser:
    """The model under the options' class, guidance and clamp."""
    known = known_tokens(model.config, options)
    label = None if options.label is None else jnp.full(options.count, options.label)
    denoiser = conditioned(model, label, options.guidance)
    return denoiser if known is None else clamped(denoiser, jnp.asarray(known), model.config.a)


@lru_cache(maxsize=16)
def _compiled(options: SampleOptions) -> Callable[[SimplexDenoiser, PRNGKeyArray, float], Array]:
    """What draws as the options ask, compiled once however often it is called."""

    @jax.jit
    def run(model: SimplexDenoiser, key: PRNGKeyArray, temperature: Array) -> Array:
        config = model.config
        return draw(
            key,
            constrained(model, options),
            (options.count, config.positions, config.num_categories),
            a=config.a,
            sampler=options.sampler,
            steps=options.steps,
            dilation=options.dilation,
            temperature=temperature,
        )

    return run


def draw_from(model: SimplexDenoiser, options: SampleOptions) -> Int[np.ndarray, "count positions"]:
    """Sequences of a model as the options ask for them.

    Raises:
        UsageError: a class or a clamp that the model does not have.
        OnePaperError: a discretisation lost paths.
    """
    run = _compiled(replace(options, seed=0, temperature=1.0))
    tokens = np.asarray(run(model, jax.random.key(options.seed), options.temperature))
    lost = (tokens == LOST).any(axis=1).sum()
    if lost:
        raise OnePaperError(
            f"{options.sampler} lost {lost} of {options.count} sequences in {options.steps} steps: vectors that are no "
            "numbers; take more steps or the sampler ancestral"
        )
    return tokens
