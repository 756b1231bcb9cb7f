"""Noise levels of diffusers' schedulers: what a pipeline's scheduler says about how its network was trained."""

import math
from typing import Any, cast

from diffusers import DDPMScheduler, FlowMatchEulerDiscreteScheduler, SchedulerMixin
from onepaper.config import check_between, check_choice
from onepaper.errors import UsageError

from compose_diffusion.diffusion import NoiseSchedule
from compose_diffusion.pretrained.matching import (
    NETWORK_PREDICTIONS,
    NetworkPrediction,
    TrainedLevels,
    flow_schedule,
    schedule_of_signal,
)

PREDICTION_TYPES: dict[str, NetworkPrediction] = {
    "epsilon": "eps",
    "v_prediction": "v",
    "sample": "x0",
    "flow_prediction": "flow",
}
# The settings that define the noise of networks with discrete times, under one name in all of diffusers' schedulers.
NOISE_SETTINGS = ("beta_start", "beta_end", "beta_schedule", "num_train_timesteps")
# Schedulers of networks that take sigma itself, with inputs scaled in a way of their own.
OTHER_NOISE = ("EDM", "ScoreSdeVe", "KarrasVe", "CMStochastic", "VQDiffusion", "UnCLIP", "CosineDPM", "Amused")


def trained_levels(
    scheduler: SchedulerMixin, num_levels: int | None = None, prediction: str | None = None
) -> TrainedLevels:
    """Levels and prediction that a scheduler's configuration states.

    Any scheduler of a variance-preserving network will do (DDPM, DDIM, PNDM, Euler, DPM-Solver, UniPC, ...), for they
    share the settings of the noise; so will those of flow matching. Which of a network's levels a sampler visits
    follows the scheduler's own `timestep_spacing`, or its sigmas with their shift. Where the shift depends on the
    image size (`use_dynamic_shifting`), it is that of the smallest images, `base_shift`.

    Args:
        scheduler: of the pipeline.
        num_levels: how many levels a sampler takes; all trained ones if absent.
        prediction: what the network predicts, where the scheduler's configuration is wrong about it.

    Raises:
        UsageError: a scheduler or prediction type of another kind, or more levels than there are.
    """
    config = cast(Any, scheduler).config
    name = type(scheduler).__name__
    flow = isinstance(scheduler, FlowMatchEulerDiscreteScheduler) or name.startswith("FlowMatch")
    stated = "flow_prediction" if flow else config.get("prediction_type")
    if prediction is None and stated not in PREDICTION_TYPES:
        raise UsageError(
            f"{name} says prediction_type '{stated}', expected one of {', '.join(PREDICTION_TYPES)}; pass prediction= "
            "if you know what the network predicts"
        )
    if prediction is None:
        chosen = PREDICTION_TYPES[stated]
    else:
        check_choice("prediction", prediction, NETWORK_PREDICTIONS)
        chosen = cast(NetworkPrediction, prediction)
    if num_levels is not None:
        check_between("num_levels", num_levels, 1, config.num_train_timesteps)
    if chosen == "flow":
        return _flow_levels(config, name, num_levels)
    if flow or name.startswith(OTHER_NOISE) or any(setting not in config for setting in NOISE_SETTINGS):
        raise UsageError(
            f"scheduler is {name}, expected one with betas (DDPMScheduler, DDIMScheduler, EulerDiscreteScheduler, ...) "
            f"or of flow matching for a network that predicts '{chosen}'; pass scheduler= with the noise it was "
            "trained on"
        )
    # One class reads the settings of all; its steps are the ancestral steps of this package.
    ddpm = cast(Any, _from_config(DDPMScheduler, config, name))
    # As rounded by diffusers, for so was the noise that the network learnt from.
    betas, alphas_cumprod = ddpm.betas.double(), ddpm.alphas_cumprod.double()
    ends_in_noise = float(alphas_cumprod[-1]) == 0.0
    own = schedule_of_signal(alphas_cumprod) if ends_in_noise else NoiseSchedule(betas, alphas_cumprod)
    schedule = own
    if num_levels is not None:
        ddpm.set_timesteps(num_levels)
        schedule = schedule_of_signal(own.alphas_cumprod[ddpm.timesteps.unique()])
    clip_x0 = float(config.get("clip_sample_range", 1.0)) if config.get("clip_sample", False) else None
    return TrainedLevels(chosen, schedule, own, config.num_train_timesteps, clip_x0)


def _flow_levels(config: Any, name: str, num_levels: int | None) -> TrainedLevels:
    if config.get("invert_sigmas", False):
        raise UsageError(f"{name} has invert_sigmas, expected times that rise with the noise; no such network is known")
    settings = dict(config)
    if "shift" not in settings:  # DPM-Solver, UniPC and others call it so
        settings["shift"] = settings.get("flow_shift", 1.0)
    if settings.get("use_dynamic_shifting", False):
        settings |= {"use_dynamic_shifting": False, "shift": math.exp(settings.get("base_shift", 0.5))}
    scheduler = cast(Any, _from_config(FlowMatchEulerDiscreteScheduler, settings, name))
    if num_levels is not None:
        scheduler.set_timesteps(num_levels)
        times = scheduler.sigmas[:-1].flip(0)
    else:
        times = scheduler.sigmas.flip(0)
    schedule: NoiseSchedule = flow_schedule(times)
    return TrainedLevels("flow", schedule, None, int(config["num_train_timesteps"]))


def _from_config(kind: type, config: Any, name: str) -> SchedulerMixin:
    """A fresh scheduler of `kind` with another's settings, whatever steps the other was last set to."""
    accepted = set(cast(Any, kind)._get_init_keys(kind))
    try:
        return kind(**{key: value for key, value in dict(config).items() if key in accepted})
    except (NotImplementedError, ValueError) as error:
        raise UsageError(
            f"the settings of {name} describe no known noise ({error}); pass scheduler= with the noise it was "
            "trained on"
        ) from error
