"""What a training costs, as the words that `onepaper PAPER presets --cost` prints."""

# Sustained by a training on one current data-centre GPU in bfloat16; a lower bound of the time for small networks.
GPU_FLOPS_PER_SECOND = 1e14
BYTES_PER_NUMBER = 4


def training_cost(
    parameters: int, flops_per_step: float, steps: int, *, averaged: bool = False, activations: int = 0
) -> dict[str, str]:
    """Parameters, FLOPs of a step, GPU time of all steps, and memory of the training state.

    The state is weights, gradient and two moments, and the moving average where there is one, in float32.

    Args:
        parameters: trained numbers of the network.
        flops_per_step: of the forward and backward pass over one batch; a multiplication and an addition count as two.
            `dense_flops` estimates it for a network of matrices.
        steps: updates of the training.
        averaged: whether a moving average of the weights is kept.
        activations: bytes kept for the backward pass, where they are known; 0 leaves them out.
    """
    state = (5 if averaged else 4) * BYTES_PER_NUMBER * parameters
    hours = flops_per_step * steps / GPU_FLOPS_PER_SECOND / 3600
    costs = {
        "parameters": f"{parameters:,}",
        "FLOPs per step": f"{flops_per_step:.2e}",
        "GPU time": f"{hours:.2g} h at {GPU_FLOPS_PER_SECOND / 1e12:.0f} TFLOP/s",
        "memory for the state": f"{state / 1e6:.2f} MB",
    }
    return costs | ({"memory with activations": f"{(state + activations) / 1e6:.0f} MB"} if activations else {})


def dense_flops(parameters: int, positions: int) -> float:
    """FLOPs of a training step of a network of matrices, each applied at every position of the batch.

    A forward pass takes 2 per weight and position, the backward pass twice as many (Kaplan et al., 2020, section 2.1).
    """
    return 6.0 * parameters * positions
