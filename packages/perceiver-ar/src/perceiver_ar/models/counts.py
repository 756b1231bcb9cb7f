"""Parameters of a configuration and FLOPs of its training steps, by formula."""

import jax
import numpy as np
from flax import nnx

from perceiver_ar.config import ModelConfig, TransformerXLConfig
from perceiver_ar.models.perceiver_ar import PerceiverAR
from perceiver_ar.models.transformer_xl import TransformerXL


def parameter_count(config: ModelConfig) -> int:
    """Numbers that training changes, counted on the shapes alone."""
    model = nnx.eval_shape(lambda: PerceiverAR(config, nnx.Rngs(0)))
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))


def official_parameter_count(config: ModelConfig) -> int:
    """The same by the layout of the official code, which keeps fixed position tables as parameters too (section 4).

    Ours is this number, less the tables where they are fixed. That code has no adaptive embeddings.
    """
    inputs, width, vocabulary, widening = config.input_dim, config.width, config.vocab_size, config.widening
    perceptron = 2 * widening * width**2 + widening * width + width
    tables = sum(config.axis_sizes) * inputs if config.adds else 0
    words = vocabulary * inputs + width * vocabulary + vocabulary
    if config.adaptive_cutoffs:
        clusters = len(config.adaptive_cutoffs) * (width + 1)
        words = sum((high - low + inputs) * narrow for low, high, narrow in config.bands) + clusters + vocabulary
    project = inputs * width + width
    reads = 2 * width * inputs + 2 * inputs**2 + 3 * inputs + width
    cross = reads + perceptron + 4 * width + 2 * inputs
    block = 4 * (width**2 + width) + perceptron + 4 * width
    return words + tables + project + cross + config.depth * block + 2 * width


def xl_parameter_count(config: TransformerXLConfig) -> int:
    """Numbers that training changes, counted on the shapes alone."""
    model = nnx.eval_shape(lambda: TransformerXL(config, nnx.Rngs(0)))
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))


def step_flops(config: ModelConfig, batch_size: int) -> float:
    """FLOPs of a training step: three forward passes (section 11 counts a multiplication and an addition as two).

    Keys and values 4 M C^2, scores and mixing 4 N M C, the latents' own projections, the perceptrons, the stack
    L (8 + 4 w) N D^2 + 4 L N^2 D, and the logits 2 N D V.
    """
    m, n, c, d, w = config.context_length, config.num_latents, config.input_dim, config.width, config.widening
    seen = m - int(config.prefix_dropout * (m - n)) if config.prefix_dropout_kind == "exact" else m
    cross = 4 * seen * c * c + 4 * n * seen * c + 2 * n * (c * d + 2 * d * c) + 4 * w * n * d * d
    stack = config.depth * ((8 + 4 * w) * n * d * d + 4 * n * n * d)
    return 3.0 * batch_size * (cross + stack + 2 * n * d * config.vocab_size)


def xl_step_flops(config: TransformerXLConfig, batch_size: int) -> float:
    """The same of a Transformer-XL with segments of S tokens that remember P more, R = S + P in all.

    In each of L layers queries and outputs 4 S D^2, keys and values 4 R D^2, scores by content and by distance and
    mixing 6 S R D, the perceptron 4 w S D^2, and once for all rows the distances 2 R D^2.
    """
    s, d, w = config.segment, config.width, config.widening
    reach = s + config.memory
    row = (
        config.depth * ((4 + 4 * w) * s * d * d + 4 * reach * d * d + 6 * s * reach * d) + 2 * s * d * config.vocab_size
    )
    return 3.0 * (batch_size * row + config.depth * 2 * reach * d * d)
