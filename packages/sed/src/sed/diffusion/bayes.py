r"""Exact denoisers of toy problems: the posterior mean of embeddings for a finite set of sequences.

A token's embedding is seen as $x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon$ with
$x_0 \sim N(e_w, \sigma_0^2 I)$, so that $x_t \mid w \sim N(\sqrt{\bar\alpha_t}\, e_w, v_t I)$ with
$v_t = \bar\alpha_t \sigma_0^2 + 1 - \bar\alpha_t$. Rows have equal norm, and
$p(w \mid x_t) \propto \pi_w \exp(\sqrt{\bar\alpha_t}\, e_w \cdot x_t / v_t)$. With these as the network, a sampler has
no error but that of its steps.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from sed.config import ScheduleConfig
from sed.diffusion.samplers import Denoiser
from sed.diffusion.schedule import Schedule


def _scales(config: ScheduleConfig, t: Array) -> tuple[Array, Array]:
    """Signal and variance at steps t, [batch, 1, 1]."""
    alpha_bar = jnp.asarray(Schedule.of(config).alpha_bar, jnp.float32)[t][:, None, None]
    return jnp.sqrt(alpha_bar), alpha_bar * config.sigma_0**2 + 1 - alpha_bar


def _posterior_mean(mean: Array, x_t: Array, config: ScheduleConfig, t: Array) -> Array:
    r"""$E[x_0 \mid x_t] = \bar e + \frac{\sigma_0^2 \sqrt{\bar\alpha_t}}{v_t} (x_t - \sqrt{\bar\alpha_t}\, \bar e)$ for
    the mean embedding $\bar e$."""
    signal, variance = _scales(config, t)
    return mean + config.sigma_0**2 * signal / variance * (x_t - signal * mean)


def independent_denoiser(
    table: Float[Array, "vocab embed"], prior: Float[Array, " vocab"], config: ScheduleConfig
) -> Denoiser:
    """The exact denoiser of independent tokens; what is given and the own estimate do not matter.

    Args:
        table: embeddings, rows of equal norm.
        prior: probability of each token.
        config: of the forward process.
    """

    def denoiser(x_t: Array, cond: Array, cond_mask: Array, x_self: Array, t: Array) -> Array:
        signal, variance = _scales(config, t)
        probs = jax.nn.softmax(jnp.log(prior) + signal / variance * (x_t @ table.T), axis=-1)
        return _posterior_mean(probs @ table, x_t, config, t)

    return denoiser


def sequence_denoiser(
    table: Float[Array, "vocab embed"],
    sequences: Int[Array, "sequences length"],
    prior: Float[Array, " sequences"],
    config: ScheduleConfig,
) -> Denoiser:
    """The exact denoiser of a finite set of sequences, of which some tokens may be given.

    A given embedding of zeros is hidden and carries no information.

    Args:
        table: embeddings, rows of equal norm.
        sequences: all sequences that there are.
        prior: probability of each.
        config: of the forward process.
    """
    embedded = table[sequences]

    def denoiser(x_t: Array, cond: Array, cond_mask: Array, x_self: Array, t: Array) -> Array:
        signal, variance = _scales(config, t)
        products = jnp.einsum("bld,kld->bkl", x_t, embedded) * (signal / variance)
        scores = jnp.where(cond_mask[:, None], 0.0, products).sum(axis=-1) + jnp.log(prior)
        shown = cond_mask & (jnp.square(cond).sum(axis=-1) > 0)
        agrees = jnp.square(cond[:, None] - embedded).sum(axis=-1) < 1e-6
        scores = jnp.where((agrees | ~shown[:, None]).all(axis=-1), scores, -jnp.inf)
        mean = jnp.einsum("bk,kld->bld", jax.nn.softmax(scores, axis=-1), embedded)
        return _posterior_mean(mean, x_t, config, t)

    return denoiser
