"""Composition of several positions: how often a sampler satisfies all of them (claim C9).

All samplers of a seed have the same initial noise and the same requested positions, drawn without overlap.
"""

import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from onepaper.config import check_choice
from torch import Tensor

from compose_diffusion.config.positions import ARMS, CanvasConfig, PositionsComparison
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.data.canvases import arrangements
from compose_diffusion.evaluation.detector import Detector, default_detector
from compose_diffusion.models.position_guidance import CLIP_X0, KERNEL_DEFAULTS, digits_at
from compose_diffusion.models.positions import PositionModels
from compose_diffusion.samplers.samplers import draw_official

# Measures of each arm, and their headings in the table.
MEASURES = {
    "accuracy": "all positions satisfied",
    "each": "a position satisfied",
    "surplus": "digits beyond those asked for",
    "acceptance": "acceptance",
    "network_evaluations": "network evaluations",
    "seconds": "seconds",
}


@dataclass(frozen=True, eq=False)
class ComposedCanvases:
    """Samples and measures of one sampler.

    Attributes:
        measured: every name of `MEASURES`; acceptance is NaN without a Metropolis test.
        positions: [count, requested, 2], requested positions.
        images: [count, 1, size, size].
    """

    measured: dict[str, float]
    positions: Int[Tensor, "count requested 2"]
    images: Float[Tensor, "count 1 height width"]


def arm_options(config: PositionsComparison, arm: str) -> SamplerOptions:
    """The sampler of an arm, e.g. "energy/hmc": reverse steps, each followed by HMC."""
    check_choice("arm", arm, ARMS)
    kernel = arm.split("/")[1]
    if kernel == "reverse":
        return SamplerOptions(method="reverse", clip_x0=CLIP_X0)
    mcmc_steps = config.langevin_moves if kernel in ("ula", "mala") else config.hamiltonian_moves
    suitable = KERNEL_DEFAULTS[kernel]
    return replace(
        suitable,
        step_scale=config.ula_step if kernel == "ula" else suitable.step_scale,
        method="reverse-mcmc",
        steps_per_level=mcmc_steps,
        last_level=config.lowest_level,
        clip_x0=CLIP_X0,
    )


def compose_positions(
    config: PositionsComparison,
    arm: str,
    num_positions: int,
    seed: int,
    models: PositionModels | None = None,
    detector: Detector | None = None,
) -> ComposedCanvases:
    """Draw canvases with this number of requested positions by one sampler, and evaluate them with the detector.

    Args:
        config: images, levels, weight and MCMC steps.
        arm: one of `ARMS`, whether or not `config` lists it.
        num_positions: requested on every canvas.
        seed: of positions and initial noise, common to all arms, and of the random numbers of the arm.
        models: by default, the shipped networks.
        detector: by default, `default_detector`.

    Raises:
        UsageError: no such arm, or more positions than fit on the canvas.
    """
    options = arm_options(config, arm)
    models = PositionModels.from_pretrained() if models is None else models
    detector = default_detector() if detector is None else detector
    canvas = CanvasConfig(size=models.score.config.canvas_size)
    rng = np.random.default_rng([seed, num_positions])
    positions = torch.from_numpy(arrangements(config.num_images, num_positions, canvas, rng))
    schedule = models.schedule.respace(config.num_levels)
    form = arm.split("/")[0]
    expression = digits_at(models, list(positions.unbind(dim=1)), weight=config.weight, form=form, schedule=schedule)
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(config.num_images, 1, canvas.size, canvas.size, generator=generator)
    begun = time.perf_counter()
    result = draw_official(expression, schedule, start, options, generator)
    seconds = time.perf_counter() - begun
    scores = detector.scores(result.x)
    found = detector.found_at(scores, positions)
    acceptance = result.acceptance[result.acceptance.isfinite()]
    adjusted = options.method != "reverse" and options.kernel in ("mala", "hmc")
    measured = {
        "accuracy": float(found.all(dim=1).double().mean()),
        "each": float(found.double().mean()),
        "surplus": float((detector.counts(scores) - num_positions).clamp(min=0).double().mean()),
        "acceptance": float(acceptance.mean()) if adjusted else float("nan"),
        "network_evaluations": float(result.gradient_evaluations * len(expression.leaves())),
        "seconds": seconds,
    }
    return ComposedCanvases(measured, positions, result.x)
