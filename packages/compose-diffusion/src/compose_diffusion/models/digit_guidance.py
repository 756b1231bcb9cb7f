"""Networks of the digits as leaves and guided expressions, with default samplers for each kernel."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Int
from onepaper.torch.accelerator import Accelerator
from torch import Tensor

from compose_diffusion.algebra.composition import Expression, WeightedProduct, guidance
from compose_diffusion.algebra.leaves import ClassifierLeaf, PredictionLeaf
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.diffusion import NoiseSchedule
from compose_diffusion.models.digits import DigitModels

# Pixels are in [-1, 1]; reverse steps clip the clean estimate to this range.
CLIP_X0 = 1.0
# A class for all images, or one for each.
Label = int | Int[Tensor, " batch"]


def label_leaf(models: DigitModels, label: Label | None, schedule: NoiseSchedule | None = None) -> PredictionLeaf:
    """The denoiser for a class, or unconditional for None, on the levels of `schedule` (by default its own)."""
    label = models.denoiser.null_label if label is None else label
    condition = torch.as_tensor(label, dtype=torch.long).reshape(-1)
    if schedule is None or schedule is models.schedule:
        return PredictionLeaf(models.denoiser, models.schedule, condition=condition)
    timesteps = models.schedule.nearest_levels(schedule)
    return PredictionLeaf(models.denoiser, schedule, condition=condition, timesteps=timesteps)


def classifier_leaf(models: DigitModels, label: Label, schedule: NoiseSchedule | None = None) -> ClassifierLeaf:
    """log p(label | x_t) of the noise-conditional classifier, on the levels of `schedule` (by default its own)."""
    if schedule is None or schedule is models.schedule:
        return ClassifierLeaf(models.classifier, label)
    timesteps = models.schedule.nearest_levels(schedule)

    def respaced(x: Tensor, t: Int[Tensor, " batch"]) -> Tensor:
        return models.classifier(x, timesteps.to(t.device)[t])

    return ClassifierLeaf(respaced, label)


def guided_by_label(
    models: DigitModels,
    wanted: Sequence[Label],
    unwanted: Sequence[Label] = (),
    *,
    weight: float,
    negation: float = 1.0,
    schedule: NoiseSchedule | None = None,
) -> Expression:
    r"""$L_\emptyset + w \sum_{y\ wanted} (L_y - L_\emptyset) - v \sum_{y\ unwanted} (L_y - L_\emptyset)$:
    classifier-free guidance.

    Without classes, the unconditional model.

    Args:
        wanted: classes that samples should show, all of them.
        unwanted: classes that samples should not show.
        weight: w.
        negation: v.
        schedule: noise levels to sample on, by default the models' own.
    """
    unconditional = label_leaf(models, None, schedule)
    conditionals = [label_leaf(models, label, schedule) for label in (*wanted, *unwanted)]
    weights = [weight] * len(wanted) + [-negation] * len(unwanted)
    return guidance(unconditional, conditionals, weights) if conditionals else unconditional


def guided_by_classifier(
    models: DigitModels,
    wanted: Sequence[Label],
    unwanted: Sequence[Label] = (),
    *,
    weight: float,
    negation: float = 1.0,
    schedule: NoiseSchedule | None = None,
) -> Expression:
    r"""$L_\emptyset + w \sum_{y\ wanted} \log p(y | x_t) - v \sum_{y\ unwanted} \log p(y | x_t)$: classifier guidance.

    Only the unconditional denoiser is used; arguments as of `guided_by_label`.
    """
    unconditional = label_leaf(models, None, schedule)
    leaves = [classifier_leaf(models, label, schedule) for label in (*wanted, *unwanted)]
    weights = [weight] * len(wanted) + [-negation] * len(unwanted)
    return WeightedProduct([unconditional, *leaves], [1.0, *weights])


# Defaults of each kernel. Step sizes scale with the curvature, about 1 / sigma_t^2: Langevin steps as sigma_t^2,
# Hamiltonian steps as sigma_t. Momentum is sampled at each level, because reverse steps come in between.
_LANGEVIN = SamplerOptions(kernel="ula", steps_per_level=2, step_law="sigma-power", step_scale=0.05, step_power=2.0)
_HAMILTONIAN = SamplerOptions(
    kernel="uhmc", steps_per_level=2, step_law="sigma-power", step_scale=0.2, momentum="per-level"
)
KERNEL_DEFAULTS: Mapping[str, SamplerOptions] = {
    "ula": _LANGEVIN,
    "mala": replace(_LANGEVIN, kernel="mala"),
    "uhmc": _HAMILTONIAN,
    "hmc": replace(_HAMILTONIAN, kernel="hmc"),
}


def load_models(weights: Path | None, accelerator: Accelerator) -> DigitModels:
    """The networks of a folder (by default the shipped ones) on the accelerator's device, compiled if requested."""
    models = DigitModels.from_pretrained(weights, accelerator.device)
    if accelerator.options.compile:
        models.denoiser.compile()
        models.classifier.compile()
    return models
