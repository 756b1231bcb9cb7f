"""Configurations of the paper's image experiments: networks, training, and the samplers of the official code.

Presets state which settings are not given by the paper; they were not tuned. The images are read from a folder, see
`data.image_folder`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Literal

from onepaper.config import check_between, check_choice
from onepaper.errors import UsageError

from compose_diffusion.config.guided_diffusion import EncoderConfig, UNetConfig
from compose_diffusion.config.networks import FitConfig
from compose_diffusion.config.samplers import SamplerOptions

# The official code runs MCMC after reverse steps from levels above 50 of 100, which lead to level 50 or higher.
LAST_MCMC_LEVEL = 50

_EACH_LEVEL = SamplerOptions(
    method="reverse-mcmc", step_law="beta-power", step_power=1.0, last_level=LAST_MCMC_LEVEL, clip_x0=1.0
)
# (U-)HMC in the official code: step 0.1 beta_t and mass beta_t^2 at level t, equivalent to step 0.1 and mass 1.
_HAMILTONIAN = replace(
    _EACH_LEVEL, steps_per_level=10, step_law="constant", step_scale=0.1, num_leapfrog=3, damping=0.7
)

# Kernel -> step sizes and counts of the official code for 64 x 64 images.
IMAGE_SAMPLERS: Mapping[str, SamplerOptions] = {
    "ula": replace(_EACH_LEVEL, kernel="ula", steps_per_level=20, step_scale=2.0),
    "mala": replace(_EACH_LEVEL, kernel="mala", steps_per_level=20, step_scale=0.035),
    "uhmc": replace(_HAMILTONIAN, kernel="uhmc"),
    "hmc": replace(_HAMILTONIAN, kernel="hmc"),
}


@dataclass(frozen=True)
class PaperImagesConfig:
    """One image experiment at the paper's scale: a U-Net, optionally a classifier, and their training."""

    dataset: str
    """name of the folder of images, below $ONEPAPER_DATA"""
    network: UNetConfig
    network_fit: FitConfig
    classifier: EncoderConfig | None = None
    classifier_fit: FitConfig | None = None
    condition_dropout: float = 0.0
    """fraction of training images without condition"""
    unreadable: Literal["error", "skip"] = "error"
    """images that cannot be decoded, which are all found before a training starts: error: stop; skip: leave them out
    and say how many"""

    def __post_init__(self) -> None:
        if not self.dataset or PurePath(self.dataset).name != self.dataset:
            raise UsageError(f"dataset is '{self.dataset}', expected the name of a folder below $ONEPAPER_DATA")
        check_between("condition_dropout", self.condition_dropout, 0.0, 1.0)
        check_choice("unreadable", self.unreadable, ("error", "skip"))
        if (self.classifier is None) != (self.classifier_fit is None):
            raise UsageError("classifier and classifier_fit belong together; give both or neither")
        network = self.network
        if self.condition_dropout and not (network.null_condition or network.condition == "text"):
            raise UsageError(
                f"condition_dropout is {self.condition_dropout} for a network without null condition (condition "
                f"'{network.condition}'), expected 0; set network.null_condition"
            )
        if network.predicts_variance:
            raise UsageError("network.predicts_variance is set, but training learns no variance; unset it")
        if self.classifier is not None:
            for name in ("image_size", "image_channels", "schedule"):
                ours, theirs = getattr(self.classifier, name), getattr(network, name)
                if ours != theirs:
                    raise UsageError(
                        f"classifier.{name} is {ours} and network.{name} {theirs}, expected equal ones: the classifier "
                        "guides the network level by level"
                    )
