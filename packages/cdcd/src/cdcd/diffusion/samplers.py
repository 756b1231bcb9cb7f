r"""Samplers of the probability-flow differential equation, for any denoiser (paper, sections 3.1 and 6.4).

With noise of standard deviation t, $dx/dt = -t\, s(x, t) = (x - \hat x_0) / t$, from $t_{max}$ down to $t_{min}$. The
denoiser may be a trained network or the exact posterior of a toy problem (`cdcd.diffusion.bayes`).

Axes: G branches of guidance (with and without the given tokens), B batch, L length, d embedding, V vocabulary.
"""

from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from cdcd.config import SamplingOptions
from cdcd.diffusion.embeddings import nearest_tokens
from cdcd.diffusion.score import expected_embedding, guide, postprocess, token_probs


@runtime_checkable
class Denoiser(Protocol):
    """Classifies the tokens of noisy sequences."""

    def __call__(
        self,
        x: Float[Array, "batch length embed"],
        t: Float[Array, ""],
        prediction: Float[Array, "batch length embed"],
        conditional: Float[Array, ""],
    ) -> Float[Array, "batch length vocab"]:
        """Logits, from the noisy sequences, their level, the previous prediction, and whether given tokens are seen."""
        ...


class Samples(NamedTuple):
    """What a sampler returns.

    Attributes:
        tokens: the samples; where tokens are given, those.
        times: noise level of each step.
        entropy: mean entropy of the predicted tokens at each step, in nats.
        changed: fraction of most probable tokens that differ from the step before.
        path: most probable tokens at each step.
        state: the noisy embeddings at the end.
    """

    tokens: Int[Array, "batch length"]
    times: Float[Array, " steps"]
    entropy: Float[Array, " steps"]
    changed: Float[Array, " steps"]
    path: Int[Array, "steps batch length"]
    state: Float[Array, "batch length embed"]


# State, previous predictions of the branches, and the last prediction.
_Carry = tuple[Array, Array, Array]


class _Estimate(NamedTuple):
    """One evaluation of a denoiser."""

    prediction: Float[Array, "batch length embed"]
    feedback: Float[Array, "branches batch length embed"]
    probs: Float[Array, "batch length vocab"]


def sample(
    denoiser: Denoiser,
    embeddings: Float[Array, "vocab embed"],
    given: Int[Array, "batch length"],
    mask: Bool[Array, "batch length"],
    times: Float[Array, " steps+1"],
    keys: PRNGKeyArray,
    options: SamplingOptions,
    *,
    self_conditioning: bool = True,
    renormalize: bool = False,
    clamp: bool = False,
) -> Samples:
    """Solve the differential equation from noise to tokens, in one compiled loop.

    Args:
        denoiser: logits of tokens; it knows the given tokens.
        embeddings: of the tokens, all of the same norm.
        given: tokens; those at noisy positions are ignored.
        mask: true where a token is sampled.
        times: noise levels, falling.
        keys: one for each sequence, which therefore does not depend on the rest of the batch.
        options: solver, temperatures, guidance and final tokens; steps and spacing are in `times`.
        self_conditioning: whether the denoiser gets its previous prediction; otherwise zeros.
        renormalize: as in the training of the denoiser.
        clamp: as in the training of the denoiser.
    """
    branches = jnp.ones(1) if options.guidance == 1.0 else jnp.array([1.0, 0.0])
    noisy = mask[..., None].astype(embeddings.dtype)

    def estimate(x: Array, t: Array, feedback: Array) -> _Estimate:
        logits = jax.vmap(lambda previous, branch: denoiser(x, t, previous, branch))(feedback, branches)
        probs = token_probs(logits, options.softmax_temperature, options.nucleus)
        found = expected_embedding(probs, embeddings)
        found = noisy * postprocess(found, embeddings, renormalize=renormalize, clamp=clamp)
        prediction = found[0] if len(branches) == 1 else guide(found[0], found[1], options.guidance)
        shared = {"own": found, "conditional": found[:1], "guided": prediction[None]}[options.guided_prediction]
        fed_back = jnp.broadcast_to(shared, found.shape) if self_conditioning else jnp.zeros_like(found)
        return _Estimate(prediction, fed_back, probs[0])

    def slope(x: Array, t: Array, found: _Estimate) -> Array:
        # dx/dt = -t s / T, which is 0 at given positions, where x and the prediction are 0.
        return (x - found.prediction) / (t * options.score_temperature)

    def step(carry: _Carry, levels: tuple[Array, Array]) -> tuple[_Carry, tuple[Array, Array]]:
        x, feedback, _ = carry
        t, after = levels
        found = estimate(x, t, feedback)
        moved = x + (after - t) * slope(x, t, found)
        last = found
        if options.solver == "heun":
            last = estimate(moved, after, found.feedback)
            moved = x + (after - t) * (slope(x, t, found) + slope(moved, after, last)) / 2
        entropy = -(found.probs * jnp.log(jnp.maximum(found.probs, 1e-30))).sum(axis=-1)
        entropy = jnp.where(mask, entropy, 0.0).sum() / jnp.maximum(mask.sum(), 1)
        tokens = jnp.where(mask, jnp.argmax(found.probs, axis=-1), given)
        return (moved, last.feedback, last.prediction), (entropy, tokens)

    noise = jax.vmap(lambda key: jax.random.normal(key, (*given.shape[1:], embeddings.shape[-1])))(keys)
    x = noisy * options.initial_scale * times[0] * noise
    feedback = jnp.zeros((len(branches), *x.shape), x.dtype)
    (x, feedback, prediction), (entropy, path) = jax.lax.scan(
        step, (x, feedback, jnp.zeros_like(x)), (times[:-1], times[1:])
    )
    if options.final == "evaluate":
        # Temperature and nucleus do not change which token is the most probable one.
        tokens = jnp.argmax(estimate(x, times[-1], feedback).probs, axis=-1)
    else:
        tokens = nearest_tokens(prediction if options.final == "prediction" else x, embeddings)
    before = jnp.concatenate([path[:1], path[:-1]])
    changed = ((path != before) & mask).sum(axis=(1, 2)) / jnp.maximum(mask.sum(), 1)
    return Samples(jnp.where(mask, tokens, given), times[:-1], entropy, changed, path, x)
