"""Models as leaves of an expression: exact densities, networks that predict, scalar energies, classifiers.

A leaf is evaluated at one noise level and returns a score and, if it has one, a log density. Leaves of one network that
differ only in their condition are evaluated in one call.
"""

from abc import ABC
from collections.abc import Callable, Hashable, Sequence
from typing import cast

import torch
from jaxtyping import Int
from onepaper.config import check_choice
from onepaper.errors import UsageError
from torch import Tensor

from compose_diffusion.algebra.composition import Evaluation, Leaf
from compose_diffusion.data.distributions import Distribution
from compose_diffusion.diffusion import PREDICTIONS, NoiseSchedule, Prediction, noise_from_prediction, score_from_noise

EnergyFunction = Callable[..., Tensor]
Network = Callable[..., Tensor]


class ExactLeaf(Leaf):
    """A distribution with a closed-form noised density, on the levels of a schedule."""

    def __init__(self, distribution: Distribution, schedule: NoiseSchedule) -> None:
        self.distribution = distribution
        self.schedule = schedule
        self._alpha_bars = [float(alpha_bar) for alpha_bar in schedule.alphas_cumprod]

    @property
    def has_energy(self) -> bool:
        """Always."""
        return True

    def evaluate(self, x: Tensor, t: int, *, energy: bool = True) -> Evaluation:
        """Normalised log density and score."""
        if x.shape[1:] != (self.distribution.dim,):
            raise UsageError(
                f"samples have shape {tuple(x.shape)}, expected [batch, {self.distribution.dim}]; give points of the "
                "distribution's dimension"
            )
        log_density, score = self.distribution.noised(x, self._alpha_bars[t])
        return Evaluation(log_density, score)

    def __repr__(self) -> str:
        return f"ExactLeaf({type(self.distribution).__name__})"


class _NetworkLeaf(Leaf, ABC):
    """Base class of network leaves: conditions, time steps, and one call for all conditions of a network.

    A network is called as network(x, t) or, with a condition, network(x, t, condition), t being [batch] time steps.
    """

    def __init__(
        self,
        network: Callable[..., Tensor],
        schedule: NoiseSchedule | None,
        condition: Tensor | None,
        timesteps: Int[Tensor, " levels"] | None,
    ) -> None:
        if timesteps is not None and schedule is not None and len(timesteps) != len(schedule):
            raise UsageError(
                f"leaf has {len(timesteps)} timesteps for a schedule of {len(schedule)} levels, expected one for each; "
                "use NoiseSchedule.nearest_levels"
            )
        self.network = network
        self.schedule = schedule
        self.condition = condition
        self.timesteps = None if timesteps is None else [int(timestep) for timestep in timesteps]

    @property
    def batch_key(self) -> Hashable | None:
        """The network and all settings that determine how its output is converted."""
        condition = None if self.condition is None else (self.condition.shape[1:], self.condition.dtype)
        steps = None if self.timesteps is None else tuple(self.timesteps)
        return (id(self.network), id(self.schedule), condition, steps)

    def evaluate(self, x: Tensor, t: int, *, energy: bool = True) -> Evaluation:
        """Score and noise prediction, and the log density where the network is an energy."""
        return type(self).evaluate_together([self], x, t, energy=energy)[0]

    def _time(self, t: int, batch: int, device: torch.device) -> Int[Tensor, " batch"]:
        timestep = t if self.timesteps is None else self.timesteps[t]
        return torch.full((batch,), timestep, dtype=torch.long, device=device)

    @staticmethod
    def _stacked_conditions(leaves: "Sequence[_NetworkLeaf]", x: Tensor) -> list[Tensor]:
        """Arguments after x and t: nothing, or the concatenated conditions of all leaves."""
        conditions = []
        for leaf in leaves:
            if leaf.condition is None:
                return []
            if len(leaf.condition) not in (1, len(x)):
                raise UsageError(
                    f"condition has batch size {len(leaf.condition)} for {len(x)} samples, expected 1 or {len(x)}; "
                    "give one condition for all samples or one for each"
                )
            conditions.append(leaf.condition.to(x.device).expand(len(x), *leaf.condition.shape[1:]))
        return [torch.cat(conditions)]


class PredictionLeaf(_NetworkLeaf):
    """A network that predicts noise, velocity or clean data; it has a score and no log density.

    Args:
        network: called as network(x, t) or network(x, t, condition), t being [batch] integers; returns x's shape, or
            with `learned_variance` twice the channels, of which the second half is dropped.
        schedule: noise levels of the sampler.
        prediction: "eps", "v" or "x0".
        condition: [1, ...] for all samples or [batch, ...]. Leaves of one network that differ only in their
            condition are evaluated in one call; for the unconditional model give the network's own null condition.
        timesteps: [levels], the network's time step at each level; the level's index if absent. For a network that was
            trained on other levels use `own_schedule.nearest_levels(schedule)`.
        learned_variance: whether the network also predicts the variance of reverse steps, which is ignored.
    """

    def __init__(
        self,
        network: Network,
        schedule: NoiseSchedule,
        prediction: str = "eps",
        *,
        condition: Tensor | None = None,
        timesteps: Int[Tensor, " levels"] | None = None,
        learned_variance: bool = False,
    ) -> None:
        check_choice("prediction", prediction, PREDICTIONS)
        super().__init__(network, schedule, condition, timesteps)
        self.prediction: Prediction = cast(Prediction, prediction)
        self.learned_variance = learned_variance

    @property
    def has_energy(self) -> bool:
        """Never."""
        return False

    @property
    def batch_key(self) -> Hashable | None:
        """The network and how its output is converted."""
        return (super().batch_key, self.prediction, self.learned_variance)

    @classmethod
    def evaluate_together(cls, leaves: Sequence[Leaf], x: Tensor, t: int, *, energy: bool) -> list[Evaluation]:
        """One call of the network for all leaves, without gradients."""
        stacked = cast("Sequence[PredictionLeaf]", leaves)
        first = stacked[0]
        schedule = cast(NoiseSchedule, first.schedule)
        inputs = x.repeat(len(leaves), *[1] * (x.ndim - 1)) if len(leaves) > 1 else x
        with torch.no_grad():
            output = first.network(inputs, first._time(t, len(inputs), x.device), *cls._stacked_conditions(stacked, x))
        if first.learned_variance:
            output = output[:, : output.shape[1] // 2]
        if output.shape != inputs.shape:
            raise UsageError(
                f"network gave shape {tuple(output.shape)} for samples of shape {tuple(inputs.shape)}, expected equal "
                "shapes; set learned_variance for networks that also predict a variance"
            )
        noise = noise_from_prediction(output.to(x.dtype), inputs, t, schedule, first.prediction)
        return [Evaluation(None, score_from_noise(part, t, schedule), part) for part in noise.chunk(len(leaves))]


class EnergyLeaf(_NetworkLeaf):
    """A scalar energy f(x, t): one forward and backward pass gives both log density and score.

    With a schedule, eps = grad f (paper, section 4.2), hence L = -f / sigma_t; without one, L = -f.

    Args:
        energy: called as energy(x, t) or energy(x, t, condition), t being [batch] integers; returns [batch], each
            entry depending on its own sample only.
        schedule: noise levels of the sampler, or None if the energy is a negative log density.
        condition: see `PredictionLeaf`.
        timesteps: see `PredictionLeaf`.
    """

    def __init__(
        self,
        energy: EnergyFunction,
        schedule: NoiseSchedule | None = None,
        *,
        condition: Tensor | None = None,
        timesteps: Int[Tensor, " levels"] | None = None,
    ) -> None:
        super().__init__(energy, schedule, condition, timesteps)

    @property
    def has_energy(self) -> bool:
        """Always."""
        return True

    @classmethod
    def evaluate_together(cls, leaves: Sequence[Leaf], x: Tensor, t: int, *, energy: bool) -> list[Evaluation]:
        """One forward and backward pass for all leaves."""
        stacked = cast("Sequence[EnergyLeaf]", leaves)
        first = stacked[0]
        inputs = x.detach().repeat(len(leaves), *[1] * (x.ndim - 1)).requires_grad_()
        with torch.enable_grad():
            values = first.network(inputs, first._time(t, len(inputs), x.device), *cls._stacked_conditions(stacked, x))
            if values.shape != inputs.shape[:1]:
                raise UsageError(
                    f"energy gave shape {tuple(values.shape)} for {len(inputs)} samples, expected [{len(inputs)}]; sum "
                    "over all axes but the first"
                )
            (gradient,) = torch.autograd.grad(values.sum(), inputs)
        values = values.detach()
        if first.schedule is None:
            pairs = zip(values.chunk(len(leaves)), gradient.chunk(len(leaves)), strict=True)
            return [Evaluation(-value, -slope) for value, slope in pairs]
        sigma = float(first.schedule.sigma[t])
        score = score_from_noise(gradient, t, first.schedule)
        parts = zip(values.chunk(len(leaves)), score.chunk(len(leaves)), gradient.chunk(len(leaves)), strict=True)
        return [Evaluation(-value / sigma, slope, noise) for value, slope, noise in parts]


class ClassifierLeaf(Leaf):
    """log p(y | x_t) of a noise-conditional classifier, for `classifier_guidance`; it has a log density.

    Args:
        classifier: called as classifier(x, t), t being [batch] integers; returns logits [batch, classes].
        label: one class for all samples, or [batch] classes.
    """

    def __init__(self, classifier: Callable[[Tensor, Tensor], Tensor], label: int | Int[Tensor, " batch"]) -> None:
        self.classifier = classifier
        self.label = label

    @property
    def has_energy(self) -> bool:
        """Always."""
        return True

    def evaluate(self, x: Tensor, t: int, *, energy: bool = True) -> Evaluation:
        """Log probability of the label and its gradient."""
        inputs = x.detach().requires_grad_()
        time = torch.full((len(x),), t, dtype=torch.long, device=x.device)
        labels = torch.as_tensor(self.label, device=x.device).expand(len(x))
        with torch.enable_grad():
            logits = self.classifier(inputs, time)
            if logits.ndim != 2 or len(logits) != len(x) or int(labels.max()) >= logits.shape[1]:
                raise UsageError(
                    f"classifier gave logits of shape {tuple(logits.shape)} for {len(x)} samples and label "
                    f"{int(labels.max())}, expected [{len(x)}, classes] with the label below classes"
                )
            log_probability = torch.log_softmax(logits, dim=1).gather(1, labels[:, None])[:, 0]
            (score,) = torch.autograd.grad(log_probability.sum(), inputs)
        return Evaluation(log_probability.detach(), score)
