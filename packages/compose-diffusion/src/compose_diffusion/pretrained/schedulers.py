"""Noise levels and prediction type of a network, from the scheduler of its pipeline."""

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
# Schedulers of networks that take sigma as time, with inputs scaled differently.
OTHER_NOISE = ("EDM", "ScoreSdeVe", "KarrasVe", "CMStochastic", "VQDiffusion", "UnCLIP", "CosineDPM", "Amused")


def trained_levels(
    scheduler: SchedulerMixin, num_levels: int | None = None, prediction: str | None = None
) -> TrainedLevels:
    """Levels and prediction in the configuration of a scheduler.

    All schedulers of variance-preserving networks are supported (DDPM, DDIM, PNDM, Euler, DPM-Solver, UniPC, ...),
    since they have the same noise settings, and those of flow matching. With `num_levels`, levels follow the
    scheduler's `timestep_spacing`, or its sigmas with their shift. If the shift depends on the image size
    (`use_dynamic_shifting`), it is that of the smallest images, `base_shift`.

    Args:
        scheduler: of the pipeline.
        num_levels: number of levels; all training levels if absent.
        prediction: of the network, if it differs from the configuration of the scheduler.

    Raises:
        UsageError: an unsupported scheduler or prediction type, or more levels than there are.
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
    # DDPMScheduler accepts the settings of all; its steps are the ancestral steps of this package.
    ddpm = cast(Any, _from_config(DDPMScheduler, config, name))
    # In the precision of diffusers, with which the network was trained.
    betas, alphas_cumprod = ddpm.betas.double(), ddpm.alphas_cumprod.double()
    ends_in_noise = float(alphas_cumprod[-1]) == 0.0
    own = schedule_of_signal(alphas_cumprod) if ends_in_noise else NoiseSchedule(betas, alphas_cumprod)
    schedule = own
    if num_levels is not None:
        ddpm.set_timesteps(num_levels)
        schedule = schedule_of_signal(own.alphas_cumprod[ddpm.timesteps.unique()])
    if chosen == "eps" and ends_in_noise and (num_levels is None or int(ddpm.timesteps.max()) == len(own) - 1):
        raise UsageError(
            f"{name} ends in pure noise (rescale_betas_zero_snr) and its network predicts noise, expected a network "
            "that predicts velocity or clean data: at that level the noise says nothing about the data"
        )
    clip_x0 = float(config.get("clip_sample_range", 1.0)) if config.get("clip_sample", False) else None
    return TrainedLevels(chosen, schedule, own, config.num_train_timesteps, clip_x0)


def _flow_levels(config: Any, name: str, num_levels: int | None) -> TrainedLevels:
    if config.get("invert_sigmas", False):
        raise UsageError(f"{name} has invert_sigmas, expected times that rise with the noise; no such network is known")
    settings = dict(config)
    if "shift" not in settings:  # the name in DPM-Solver, UniPC and others
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
    """A new scheduler of `kind` with the settings of another."""
    accepted = set(cast(Any, kind)._get_init_keys(kind))
    try:
        return kind(**{key: value for key, value in dict(config).items() if key in accepted})
    except (NotImplementedError, ValueError) as error:
        raise UsageError(
            f"the settings of {name} describe no known noise ({error}); pass scheduler= with the noise it was "
            "trained on"
        ) from error
