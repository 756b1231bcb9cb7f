r"""Exact denoisers of toy problems: the posterior of tokens for a finite set of sequences.

For sequences $y^k$ of prior probability $\pi_k$, whose embeddings are seen with noise of standard deviation t,
$p(k \mid x) \propto \pi_k \exp(\sum_l \langle x_l, e_{y^k_l} \rangle / t^2)$, because all embeddings have the same
norm. With these as the network, a sampler has no error but that of its steps.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from cdcd.diffusion.samplers import Denoiser


def token_logits(
    x: Float[Array, "*batch embed"], embeddings: Float[Array, "vocab embed"], prior: Float[Array, " vocab"], t: Array
) -> Float[Array, "*batch vocab"]:
    r"""Logits $\ln \pi_i + \langle x, e_i \rangle / t^2$ of independent tokens with the prior $\pi$."""
    return jnp.log(prior) + x @ embeddings.T / t**2


def independent_denoiser(embeddings: Float[Array, "vocab embed"], prior: Float[Array, " vocab"]) -> Denoiser:
    """The exact denoiser of independent tokens."""

    def denoiser(x: Array, t: Array, prediction: Array, conditional: Array) -> Array:
        return token_logits(x, embeddings, prior, t)

    return denoiser


def sequence_denoiser(
    embeddings: Float[Array, "vocab embed"],
    sequences: Int[Array, "sequences length"],
    prior: Float[Array, " sequences"],
    given: Int[Array, "batch length"],
    mask: Bool[Array, "batch length"],
) -> Denoiser:
    """The exact denoiser of a finite set of sequences, of which some tokens may be given.

    Without the condition (`conditional` 0), given tokens are not seen and carry no information.

    Args:
        embeddings: of the tokens.
        sequences: all sequences that there are.
        prior: probability of each.
        given: tokens; only those outside the mask count.
        mask: true where a token is noisy.
    """
    agrees = ((given[:, None] == sequences) | mask[:, None]).all(axis=-1)
    one_hot = jax.nn.one_hot(sequences, len(embeddings))

    def denoiser(x: Array, t: Array, prediction: Array, conditional: Array) -> Array:
        scores = jnp.einsum("bld,kld->bkl", x, embeddings[sequences])
        scores = jnp.where(mask[:, None], scores, 0.0).sum(axis=-1) / t**2 + jnp.log(prior)
        scores = jnp.where(agrees | (conditional == 0), scores, -jnp.inf)
        posterior = jax.nn.softmax(scores, axis=-1)
        return jnp.log(jnp.maximum(jnp.einsum("bk,klv->blv", posterior, one_hot), 1e-30))

    return denoiser
