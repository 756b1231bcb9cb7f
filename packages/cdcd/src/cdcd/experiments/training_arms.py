"""Claims on how a network is trained: arms of the laptop preset, evaluated as the shipped network is."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from flax import nnx
from onepaper.claims import ClaimContext, Evidence, Measurement, Table

from cdcd.config import ExperimentConfig, SamplingOptions
from cdcd.evaluation.completions import held_out_prompts
from cdcd.experiments.shipped import KEYS, PROMPTS, setting
from cdcd.models.denoiser import CategoricalDiffusion
from cdcd.presets import PRESETS
from cdcd.pretrained.arrays import arrays_of, model_of
from cdcd.sampling import Sampler
from cdcd.training import train

PRESET = "laptop"

# The sampler, with the time warping and without.
WARPED = SamplingOptions(steps=50)
UNWARPED = SamplingOptions(steps=50, spacing="karras")


class Arm(NamedTuple):
    """A trained network and a way to sample from it.

    Attributes:
        trained: fields of the model that differ from the preset in training.
        warp: fields of its time warping that do.
        sampled: fields of the model that differ in sampling only.
        options: of the sampler.
    """

    trained: dict[str, Any] = {}  # noqa: RUF012
    warp: dict[str, Any] = {}  # noqa: RUF012
    sampled: dict[str, Any] = {}  # noqa: RUF012
    options: SamplingOptions = WARPED


def time_warping(context: ClaimContext) -> Evidence:
    """With time warping in training and sampling, in training only, and in neither."""
    unwarped = Arm(options=UNWARPED)
    return _compare(
        context, {"both": Arm(), "training only": unwarped, "neither": unwarped._replace(warp={"enabled": False})}
    )


def self_conditioning(context: ClaimContext) -> Evidence:
    """With self-conditioning in training and sampling, in training only, and in neither."""
    off = {"self_conditioning": False}
    return _compare(context, {"both": Arm(), "training only": Arm(sampled=off), "neither": Arm(trained=off)})


def postprocessing(context: ClaimContext) -> Evidence:
    """With renormalised or clamped predictions, in training and sampling."""
    clamped, renormalised = Arm(trained={"clamp": True}), Arm(trained={"renormalize": True})
    return _compare(context, {"plain": Arm(), "renormalised": renormalised, "clamped": clamped})


def time_conditioning(context: ClaimContext) -> Evidence:
    """With the noise level as an input, and without."""
    return _compare(context, {"with": Arm(), "without": Arm(trained={"time_conditioning": False})})


def _compare(context: ClaimContext, arms: dict[str, Arm]) -> Evidence:
    """Completions of each arm; a network that several arms or claims use is trained once a seed."""
    found: dict[str, dict[str, dict[int, float]]] = {quantity: {} for quantity in ("AR-NLL", "KN-NLL", "entropy")}
    for name, arm in arms.items():
        for seed in context.seeds:
            row = _evaluate(context, arm, seed)
            for quantity, by_name in found.items():
                by_name.setdefault(name, {})[seed] = row[KEYS[quantity]]
    measured = {
        quantity: [Measurement.over_seeds(f"{quantity}, {name}", values) for name, values in by_name.items()]
        for quantity, by_name in found.items()
    }
    means = zip(*([f"{value.mean:.3f}" for value in values] for values in measured.values()), strict=True)
    table = [(name, *row) for name, row in zip(arms, means, strict=True)]
    every = [measurement for values in measured.values() for measurement in values]
    return Evidence("", every, [Table("Completions", ("training and sampling", *measured), table)])


def _evaluate(context: ClaimContext, arm: Arm, seed: int) -> dict[str, float]:
    preset: ExperimentConfig = PRESETS[PRESET].config
    config = replace(preset.model, warp=replace(preset.model.warp, **arm.warp), **arm.trained)

    arrays = context.arm(
        f"{PRESET} {arm.trained} {arm.warp}",
        seed,
        lambda: arrays_of(train(replace(preset, model=config), seed=seed).model),
    )
    model = model_of(lambda: CategoricalDiffusion(config, nnx.Rngs(0)), arrays, PRESET)
    model.config = replace(config, **arm.sampled)
    found = setting()
    prompts = held_out_prompts(found.corpus, config.length, PROMPTS[context.tier])
    tokens = Sampler(model, arm.options).sample(prompts.tokens, prompts.mask, seed=seed).tokens
    return found.evaluators.measure(np.asarray(tokens), prompts.mask)
