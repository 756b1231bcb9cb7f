"""What a configuration costs: parameters, FLOPs, memory, time on a GPU."""

from perceiver_ar.config import ExperimentConfig, ModelConfig, TransformerXLConfig
from perceiver_ar.model import official_parameter_count, parameter_count

# What a training sustains on one current data-centre GPU in bfloat16; change it for yours.
GPU_FLOPS_PER_SECOND = 1e14


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


def cost_of(config: ExperimentConfig) -> dict[str, str]:
    """Parameters, FLOPs of a training step, memory of the state, and time on a GPU."""
    count = parameter_count(config.model)
    flops = step_flops(config.model, config.batch_size)
    return {
        "parameters": f"{count:,}",
        "by the official layout": f"{official_parameter_count(config.model):,}",
        "targets per step": f"{config.batch_size * config.model.num_latents:,}",
        "FLOPs per step": f"{flops:.2e}",
        # an estimate, and a lower bound for networks too small to fill a GPU
        "GPU time": f"{flops * config.loop.steps / GPU_FLOPS_PER_SECOND / 3600:.2g} h at 100 TFLOP/s",
        # weights, gradients, two moments, four bytes each
        "memory for the state": f"{4 * 4 * count / 1e6:.2f} MB",
    }
