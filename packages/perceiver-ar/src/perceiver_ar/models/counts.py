"""Parameters of a configuration and FLOPs of its training steps, by formula."""

import jax
import numpy as np
from flax import nnx

from perceiver_ar.config import ModelConfig, TransformerXLConfig
from perceiver_ar.models.perceiver_ar import PerceiverAR


def parameter_count(config: ModelConfig) -> int:
    """Number of trainable parameters, from shapes alone."""
    model = nnx.eval_shape(lambda: PerceiverAR(config, nnx.Rngs(0)))
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))


def official_parameter_count(config: ModelConfig) -> int:
    """Number of parameters in the layout of the official code, which stores fixed position tables as parameters.

    `parameter_count` is this number less the fixed tables. The official code has no adaptive embeddings.
    """
    embed_dim, width, vocabulary, mlp_ratio = config.input_dim, config.width, config.vocab_size, config.mlp_ratio
    perceptron = 2 * mlp_ratio * width**2 + mlp_ratio * width + width
    tables = sum(config.axis_sizes) * embed_dim if config.uses_absolute_positions else 0
    embeddings = vocabulary * embed_dim + width * vocabulary + vocabulary
    if config.adaptive_cutoffs:
        clusters = len(config.adaptive_cutoffs) * (width + 1)
        embeddings = (
            sum((high - low + embed_dim) * narrow for low, high, narrow in config.bands) + clusters + vocabulary
        )
    project = embed_dim * width + width
    projections = 2 * width * embed_dim + 2 * embed_dim**2 + 3 * embed_dim + width
    cross = projections + perceptron + 4 * width + 2 * embed_dim
    block = 4 * (width**2 + width) + perceptron + 4 * width
    return embeddings + tables + project + cross + config.depth * block + 2 * width


def step_flops(config: ModelConfig, batch_size: int) -> float:
    """FLOPs of a training step, as three forward passes; a multiplication and an addition count as two.

    Keys and values 4 M C^2, scores and values of the cross-attention 4 N M C, projections of the latents, MLPs, the
    stack L (8 + 4 w) N D^2 + 4 L N^2 D, and the logits 2 N D V.
    """
    m, n, c, d, w = config.context_length, config.num_latents, config.input_dim, config.width, config.mlp_ratio
    seen = m - int(config.prefix_dropout * (m - n)) if config.prefix_dropout_kind == "exact" else m
    cross = 4 * seen * c * c + 4 * n * seen * c + 2 * n * (c * d + 2 * d * c) + 4 * w * n * d * d
    stack = config.depth * ((8 + 4 * w) * n * d * d + 4 * n * n * d)
    return 3.0 * batch_size * (cross + stack + 2 * n * d * config.vocab_size)


def xl_step_flops(config: TransformerXLConfig, batch_size: int) -> float:
    """FLOPs of a training step of a Transformer-XL with segments of S tokens and P states, R = S + P in all.

    In each of L layers queries and outputs 4 S D^2, keys and values 4 R D^2, scores by content and by distance and
    values 6 S R D, the MLP 4 w S D^2, and once for all rows the distances 2 R D^2.
    """
    s, d, w = config.segment, config.width, config.mlp_ratio
    reach = s + config.memory
    row = (
        config.depth * ((4 + 4 * w) * s * d * d + 4 * reach * d * d + 6 * s * reach * d) + 2 * s * d * config.vocab_size
    )
    return 3.0 * (batch_size * row + config.depth * 2 * reach * d * d)
