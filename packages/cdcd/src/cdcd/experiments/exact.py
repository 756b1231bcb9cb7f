"""Claims that need no trained network: identities, limits of the time warping, and noise on random embeddings."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from onepaper.claims import ClaimContext, Evidence, Measurement, Plot, Table
from onepaper.display.plots import lines

from cdcd.config import WarpConfig
from cdcd.diffusion.bayes import token_logits
from cdcd.diffusion.embeddings import normalize
from cdcd.diffusion.noise_range import decoded, optimal_cross_entropy
from cdcd.diffusion.score import expected_embedding, interpolated_score, token_probs
from cdcd.time_warping.warp import WarpLogits, make_warp

# Tokens, channels and points of the mixture whose score is known, and its noise levels.
VOCAB_SIZE, EMBED_DIM, POINTS, LEVELS = 32, 8, 256, (0.3, 1.0, 3.0, 30.0)

# Vocabulary of the paper, widths of its embeddings, and pairs of embedding and noise that are decoded.
PAPER_VOCAB, WIDTHS, DECODED = 32_000, (16, 64, 256), 400

CURVE_LEVELS = np.geomspace(0.3, 100.0, 24)


def score_identity(context: ClaimContext) -> Evidence:
    """Interpolated scores of a mixture against the gradient of its log-density, in both precisions."""
    measured = []
    for name, is_double in (("float32", False), ("float64", True)):
        with jax.enable_x64(is_double):
            errors = {seed: _score_error(seed, np.float64 if is_double else np.float32) for seed in context.seeds}
        measured.append(Measurement.over_seeds(f"largest error, {name}", errors))
    return Evidence("", measured)


def _score_error(seed: int, dtype: type) -> float:
    """Largest difference over points and levels, relative to the largest score."""
    generator = np.random.default_rng(seed)
    embeddings = normalize(jnp.asarray(generator.standard_normal((VOCAB_SIZE, EMBED_DIM)), dtype))
    prior = jnp.asarray(generator.dirichlet(np.ones(VOCAB_SIZE)), dtype)
    tokens = generator.choice(VOCAB_SIZE, POINTS)
    worst = 0.0
    for t in LEVELS:
        x = embeddings[tokens] + jnp.asarray(t * generator.standard_normal((POINTS, EMBED_DIM)), dtype)

        def log_density(x: Array, t: float = t) -> Array:
            return jax.nn.logsumexp(jnp.log(prior) - jnp.square(x - embeddings).sum(axis=-1) / (2 * t**2))

        expected = jax.vmap(jax.grad(log_density))(x)
        logits = token_logits(x, embeddings, prior, jnp.asarray(t, dtype))
        # `token_probs` is float32, as in sampling.
        probs = jax.nn.softmax(logits) if dtype is np.float64 else token_probs(logits)
        found = interpolated_score(x, expected_embedding(probs, embeddings), t)
        worst = max(worst, float(jnp.abs(found - expected).max() / jnp.abs(expected).max()))
    return worst


def warp_limits(context: ClaimContext) -> Evidence:
    """Distance of random maps from the identity in both limits, and from themselves at temperature 1, uniformity 0."""
    config = WarpConfig()
    infinite, uniform, unchanged = dict[int, float](), dict[int, float](), dict[int, float]()
    t = jnp.linspace(config.t_min, config.t_max, 10_001)
    for seed in context.seeds:
        generator = np.random.default_rng(seed)
        logits = WarpLogits(*(jnp.asarray(3 * generator.standard_normal(config.bins), jnp.float32) for _ in range(2)))
        warp = make_warp(logits, config)
        identity = warp.position(t)
        infinite[seed] = float(jnp.abs(warp.tempered(float("inf")).cdf(t) - identity).max())
        uniform[seed] = float(jnp.abs(warp.mixed(1.0).cdf(t) - identity).max())
        unchanged[seed] = float(jnp.abs(warp.tempered(1.0).mixed(0.0).cdf(t) - warp.cdf(t)).max())
    return Evidence(
        "",
        [
            Measurement.over_seeds("error at infinite temperature", infinite),
            Measurement.over_seeds("error at uniformity 1", uniform),
            Measurement.over_seeds("change by temperature 1 and uniformity 0", unchanged),
        ],
    )


def decodability(context: ClaimContext) -> Evidence:
    """Fraction of tokens whose nearest embedding is their own under noise of standard deviation 1."""
    measured = [
        Measurement.over_seeds(
            f"decoded, d={width}",
            {seed: float(decoded(width, PAPER_VOCAB, 1.0, draws=DECODED, seed=seed).mean()) for seed in context.seeds},
        )
        for width in WIDTHS
    ]
    curves = {
        f"d={width}": (CURVE_LEVELS, optimal_cross_entropy(width, PAPER_VOCAB, CURVE_LEVELS, draws=50))
        for width in WIDTHS
    }
    figure = lines(curves, "standard deviation of the noise", "cross-entropy in nats", log_x=True)
    rows = [(width, *(f"{value:.3f}" for value in measurement.values)) for width, measurement in
            zip(WIDTHS, measured, strict=True)]  # fmt: skip
    return Evidence(
        "",
        measured,
        [
            Plot("Loss of the best classifier of independent tokens", figure, f"{PAPER_VOCAB:,} random embeddings."),
            Table("Decoded tokens", ("d", *(f"seed {seed}" for seed in context.seeds)), rows),
        ],
    )
