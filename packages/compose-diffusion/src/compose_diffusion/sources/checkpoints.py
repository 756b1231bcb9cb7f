"""Source of a published checkpoint: `NAME`, `NAME[3]`, `NAME[0.1, 0.5]`.

A denoiser or an energy represents its image distribution, conditioned on a class or a position in brackets; a
classifier represents p(class | image), to be multiplied with one of them: `model + 10 * classifier[207]`.
"""

from dataclasses import replace
from pathlib import Path

import torch
from onepaper.errors import UsageError
from torch import Tensor

from compose_diffusion.algebra.composition import Leaf
from compose_diffusion.algebra.leaves import ClassifierLeaf, EnergyLeaf, PredictionLeaf
from compose_diffusion.config.guided_diffusion import EncoderConfig, UNetConfig
from compose_diffusion.config.paper_images import IMAGE_SAMPLERS, LAST_MCMC_LEVEL
from compose_diffusion.diffusion import NoiseSchedule
from compose_diffusion.models.guided_diffusion import GuidedClassifier, GuidedUNet, null_condition
from compose_diffusion.pretrained.checkpoints import open_checkpoint, respaced
from compose_diffusion.sources.source import Source

# Number of levels of the sampler, evenly spaced among those of the training, as in the official code.
NUM_LEVELS = 100


class CheckpointSource(Source):
    """A `Source` around one checkpoint, see `open_checkpoint`.

    Args:
        path: of the file, or the folder of a model.
        config: of the network; by default found as by `open_checkpoint`.
        num_levels: of the sampler; at most the number of training levels.
        device: of the network.

    Raises:
        UsageError: the checkpoint cannot be opened.
        OnePaperError: it is damaged.
    """

    clip_x0 = 1.0

    def __init__(
        self,
        path: Path,
        config: UNetConfig | EncoderConfig | None = None,
        *,
        num_levels: int = NUM_LEVELS,
        device: torch.device | str = "cpu",
    ) -> None:
        opened = open_checkpoint(path, config)
        self.network = opened.network.to(device)
        self.trained_schedule: NoiseSchedule = opened.schedule
        self.event_shape = opened.event_shape
        self.name = path.name
        self.schedule = respaced(self.trained_schedule, min(num_levels, len(self.trained_schedule)))[0]
        # MCMC of the official code stops at half of the levels.
        stop = len(self.schedule) * LAST_MCMC_LEVEL // NUM_LEVELS
        self.kernel_defaults = {kernel: replace(options, last_level=stop) for kernel, options in IMAGE_SAMPLERS.items()}

    def leaf(self, condition: str | None, schedule: NoiseSchedule) -> Leaf:
        """The model for a class ("207") or a position ("0.1, 0.5"), evaluated at the training levels nearest in log
        SNR.

        Raises:
            UsageError: an invalid condition, or none for a network that needs one.
        """
        timesteps = self.trained_schedule.nearest_levels(schedule)
        given = self._condition(condition)
        if isinstance(self.network, GuidedClassifier):
            if given is None:
                raise UsageError(f"{self.name} is a classifier, expected a class in brackets, e.g. {self.name}[0]")
            classifier = self.network
            return ClassifierLeaf(lambda x, t: classifier(x, timesteps.to(t.device)[t]), int(given))
        kind = PredictionLeaf if isinstance(self.network, GuidedUNet) else EnergyLeaf
        return kind(self.network, schedule, condition=given, timesteps=timesteps)

    def _condition(self, text: str | None) -> Tensor | None:
        """[1] class or [1, 2] position."""
        config = self.network.config
        kind = "class" if isinstance(config, EncoderConfig) else config.condition
        if text is None:
            if isinstance(config, EncoderConfig) or kind in ("none", "text"):
                return None
            if not config.null_condition:
                raise UsageError(f"{self.name} was trained with a {kind} only, expected one in brackets")
            # With an explicit null condition, the unconditional leaf is evaluated in one call with the others.
            return null_condition(config, torch.zeros(1, 1, 1, 1))
        if kind == "class" and text.strip().isdigit() and int(text) < config.num_classes:
            return torch.tensor([int(text)])
        if kind == "position":
            position = _numbers(text)
            if len(position) == 2 and all(0 <= number <= 1 for number in position):
                return torch.tensor([position])
        expected = {
            "none": "no condition",
            "class": f"a whole number from 0 to {config.num_classes - 1}" if kind == "class" else "",
            "position": "two numbers from 0 to 1, e.g. 0.1, 0.5",
            "text": "no condition on the command line; in Python give embeddings of tokens to EnergyLeaf",
        }[kind]
        raise UsageError(f"{self.name} does not accept the condition '{text}', expected {expected}")


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        return []
