r"""Score interpolation: probabilities of tokens give the expected embedding and with it the score (paper, section 3.1).

$\hat x_0 = \sum_i p(i \mid x, t)\, e_i$ and $\hat s(x, t) = (\hat x_0 - x) / t^2$.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from cdcd.diffusion.embeddings import nearest_tokens, normalize


def expected_embedding(
    probs: Float[Array, "*batch vocab"], embeddings: Float[Array, "vocab embed"]
) -> Float[Array, "*batch embed"]:
    r"""$\hat x_0 = \sum_i p_i e_i$ (paper, eq. 7)."""
    return probs @ embeddings


def interpolated_score(
    x: Float[Array, "*batch embed"], prediction: Float[Array, "*batch embed"], t: Float[Array, ""] | float
) -> Float[Array, "*batch embed"]:
    r"""$\hat s = (\hat x_0 - x) / t^2$ (paper, eq. 8)."""
    return (prediction - x) / t**2


def token_probs(
    logits: Float[Array, "*batch vocab"], temperature: float = 1.0, nucleus: float = 1.0
) -> Float[Array, "*batch vocab"]:
    """Probabilities in float32, by a temperature, and within the smallest set of at least the probability `nucleus`.

    The most probable token is always in the set (Holtzman et al., 2020).
    """
    probs = jax.nn.softmax(logits.astype(jnp.float32) / temperature, axis=-1)
    if nucleus >= 1.0:
        return probs
    order = jnp.argsort(probs, axis=-1, descending=True)
    ordered = jnp.take_along_axis(probs, order, axis=-1)
    before = jnp.cumsum(ordered, axis=-1) - ordered
    kept = jnp.where(before < nucleus, ordered, 0.0)
    kept = jnp.put_along_axis(probs, order, kept, axis=-1, inplace=False)
    return kept / kept.sum(axis=-1, keepdims=True)


def postprocess(
    prediction: Float[Array, "*batch embed"],
    embeddings: Float[Array, "vocab embed"],
    *,
    renormalize: bool = False,
    clamp: bool = False,
) -> Float[Array, "*batch embed"]:
    """The prediction on the sphere of the embeddings, or replaced by the nearest embedding (paper, section 6.3)."""
    if clamp:
        return embeddings[nearest_tokens(prediction, embeddings)]
    return normalize(prediction) if renormalize else prediction


def guide(
    conditional: Float[Array, "*batch embed"], unconditional: Float[Array, "*batch embed"], scale: float
) -> Float[Array, "*batch embed"]:
    r"""$s_u + \gamma\, (s_c - s_u)$ for predictions, in which the score is affine (paper, section 4.3)."""
    return unconditional + scale * (conditional - unconditional)
