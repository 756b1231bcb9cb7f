"""Figures of a trained network: its loss and its time warping, its embeddings, and a sample over the steps."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int
from onepaper.display.file_bytes import figure_png
from onepaper.display.plots import lines

from cdcd.config import SamplingOptions
from cdcd.data.corpus import Corpus, TextCodec, held_out_windows
from cdcd.evaluation.held_out import loss_by_level
from cdcd.models.denoiser import CategoricalDiffusion
from cdcd.sampling import Sampler

# Windows of held-out text, and noise levels.
WINDOWS, LEVELS = 128, 24

# Tokens whose neighbours are listed, and neighbours of each.
LISTED, NEIGHBOURS = 24, 6

# Rows of a sample over the steps.
SHOWN_STEPS = 16


class LossCurve(NamedTuple):
    """The loss when nothing is given, and what the time warping says about it, at noise levels even in u.

    Attributes:
        u: from 0 to 1.
        t: noise level of each u.
        loss: mean cross-entropy in nats.
        predicted: the unnormalised map, which is fitted to the loss of training.
    """

    u: Float[np.ndarray, " levels"]
    t: Float[np.ndarray, " levels"]
    loss: Float[np.ndarray, " levels"]
    predicted: Float[np.ndarray, " levels"]


def loss_curve_of(model: CategoricalDiffusion, windows: Int[np.ndarray, "count length"], *, seed: int = 0) -> LossCurve:
    """The loss of a network over its noise levels (paper, figure 2)."""
    warp = model.warp.averaged()
    u = np.linspace(0.0, 1.0, LEVELS)
    t = np.asarray(warp.inverse(jnp.asarray(u, jnp.float32)))
    return LossCurve(u, t, loss_by_level(model, windows, t, seed=seed), np.asarray(warp.predicted_loss(jnp.asarray(t))))


def neighbours(
    embeddings: Float[np.ndarray, "vocab embed"], tokens: Int[np.ndarray, " tokens"], count: int = NEIGHBOURS
) -> Int[np.ndarray, "tokens {count}"]:
    """Tokens of the nearest embeddings of each token, the nearest first, without itself."""
    products = embeddings[tokens] @ embeddings.T
    products[np.arange(len(tokens)), tokens] = -np.inf
    return np.argsort(-products, axis=1, kind="stable")[:, :count]


def neighbour_table(model: CategoricalDiffusion, corpus: Corpus) -> str:
    """Neighbours of the most frequent tokens of two letters and more, a line for each."""
    size = model.config.vocab_size
    frequent = np.argsort(-np.bincount(corpus.train, minlength=size), kind="stable")
    names = [corpus.codec.decode(np.array([token])) for token in range(size)]
    chosen = np.array([token for token in frequent if len(names[token].strip()) > 1][:LISTED], int)
    if not len(chosen):
        chosen = frequent[:LISTED]
    found = neighbours(np.asarray(model.embeddings()), chosen, min(NEIGHBOURS, size - 1))
    rows = (
        f"{names[token]!r}: {', '.join(repr(names[other]) for other in row)}"
        for token, row in zip(chosen, found, strict=True)
    )
    return "\n".join(rows) + "\n"


def sample_over_steps(model: CategoricalDiffusion, codec: TextCodec, options: SamplingOptions, *, seed: int = 0) -> str:
    """The most probable tokens at steps of one sample without a prompt, a line for each."""
    length = model.config.length
    found = Sampler(model, options).sample(np.zeros((1, length), np.int32), np.ones((1, length), bool), seed=seed)
    steps = np.unique(np.linspace(0, len(found.times) - 1, SHOWN_STEPS).astype(int))
    rows = []
    for step in steps:
        level = f"t = {float(found.times[step]):8.3f}  entropy {float(found.entropy[step]):5.2f}"
        rows.append(f"{level}  {codec.decode(np.asarray(found.path[step, 0]))}")
    return "\n".join([*rows, f"{'final tokens':>28}  {codec.decode(np.asarray(found.tokens[0]))}"]) + "\n"


def figures_of(
    model: CategoricalDiffusion, corpus: Corpus, options: SamplingOptions, *, seed: int = 0
) -> dict[str, bytes]:
    """All figures as files by name."""
    windows = held_out_windows(corpus.test, model.config.length, WINDOWS)
    curve = loss_curve_of(model, windows, seed=seed)
    over_t = lines(
        {"loss": (curve.t, curve.loss), "time warping, unnormalised": (curve.t, curve.predicted)},
        "standard deviation of the noise",
        "cross-entropy in nats",
        log_x=True,
        dashed=("time warping, unnormalised",),
    )
    straight = (curve.u[[0, -1]], curve.loss[[0, -1]])
    over_u = lines(
        {"loss": (curve.u, curve.loss), "straight line": straight},
        "u",
        "cross-entropy in nats",
        dashed=("straight line",),
    )
    return {
        "1-loss-over-noise-level.png": figure_png(over_t),
        "2-loss-over-u.png": figure_png(over_u),
        "3-neighbours-of-embeddings.txt": neighbour_table(model, corpus).encode(),
        "4-sample-over-steps.txt": sample_over_steps(model, corpus.codec, options, seed=seed).encode(),
    }
