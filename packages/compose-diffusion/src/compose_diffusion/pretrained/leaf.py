"""A network of diffusers as a leaf: any prediction, on the levels of any sampler, with or without guidance."""

from collections.abc import Hashable, Sequence
from typing import Any, cast

import torch
from onepaper.errors import UsageError
from torch import Tensor, nn

from compose_diffusion.algebra.composition import Evaluation, Leaf
from compose_diffusion.diffusion import NoiseSchedule, score_from_noise
from compose_diffusion.pretrained.conditions import Condition
from compose_diffusion.pretrained.matching import Reading
from compose_diffusion.pretrained.networks import NetworkKind, network_dtype


class DiffusersLeaf(Leaf):
    r"""A score network, used as in its pipeline; no log density.

    With guidance, its score is that of $q(x \mid n) \left( q(x \mid c) / q(x \mid n) \right)^w$, c being the condition
    and n the negative one: the network's outputs are combined as n + w (c - n) before conversion, as in pipelines.
    The network computes in its own precision; its output is converted to float32, or to the samples' dtype if that is
    wider.

    Leaves of one network are evaluated in one call with each distinct condition once: two guided leaves with the same
    negative prompt take three rows per sample.

    Attributes:
        network: called as defined by `kind`.
        schedule: the sampler's levels.
        reading: inputs of the network and conversion of its output at each level.
        condition: c.
        negative: n; None without guidance.
        guidance_scale: w; 1 without guidance.
        clip_x0: bound on the clean estimate in its pipeline, for `SamplerOptions`; None for none.
    """

    # Narrower than in the base class: this leaf always has levels.
    schedule: NoiseSchedule

    def __init__(
        self,
        network: nn.Module,
        kind: NetworkKind,
        schedule: NoiseSchedule,
        reading: Reading,
        condition: Condition,
        *,
        negative: Condition | None = None,
        guidance_scale: float = 1.0,
        clip_x0: float | None = None,
    ) -> None:
        self.network = network
        self.kind = kind
        self.schedule = schedule  # pyright: ignore[reportIncompatibleVariableOverride]
        self.reading = reading
        self.condition = condition
        self.negative = negative
        self.guidance_scale = guidance_scale
        self.clip_x0 = clip_x0
        self._batch_key = (id(network), reading, tuple(condition.tensors))

    @property
    def has_energy(self) -> bool:
        """Never."""
        return False

    @property
    def event_shape(self) -> tuple[int, int, int] | None:
        """(channels, height, width) of one sample; None where the network takes any size."""
        return self.kind.event_shape

    @property
    def batch_key(self) -> Hashable | None:
        """The network, its reading, and the names of its arguments."""
        return self._batch_key

    def evaluate(self, x: Tensor, t: int, *, energy: bool = True) -> Evaluation:
        """Score and noise prediction."""
        return DiffusersLeaf.evaluate_together([self], x, t, energy=energy)[0]

    @classmethod
    def evaluate_together(cls, leaves: Sequence[Leaf], x: Tensor, t: int, *, energy: bool) -> list[Evaluation]:
        """One call of the network for all leaves and both branches of guidance, without gradients."""
        guided = cast("Sequence[DiffusersLeaf]", leaves)
        first = guided[0]
        first._check_samples(x)
        sides = [side for leaf in guided for side in (leaf.condition, leaf.negative) if side is not None]
        conditions = list(dict.fromkeys(sides))
        outputs = dict(zip(conditions, first._ask(x, t, conditions), strict=True))
        evaluations: list[Evaluation] = []
        for leaf in guided:
            output = outputs[leaf.condition]
            if leaf.negative is not None:
                output = outputs[leaf.negative] + leaf.guidance_scale * (output - outputs[leaf.negative])
            noise = first._noise(output, x, t)
            evaluations.append(Evaluation(None, score_from_noise(noise, t, leaf.schedule), noise))
        return evaluations

    def _ask(self, x: Tensor, t: int, conditions: Sequence[Condition]) -> list[Tensor]:
        """The network's output for each condition, in the precision of the result; a predicted variance is dropped."""
        reading, dtype = self.reading, network_dtype(self.network)
        inputs = x if reading.input_scale[t] == 1.0 else reading.input_scale[t] * x
        inputs = inputs.to(dtype).repeat(len(conditions), *[1] * (x.ndim - 1))
        time_dtype = torch.long if reading.discrete else torch.float32
        time = torch.full((len(inputs),), reading.times[t], dtype=torch.float32, device=x.device).to(time_dtype)
        expanded = [condition.expanded(len(x), x.device, dtype) for condition in conditions]
        arguments = {name: torch.cat([rows[name] for rows in expanded]) for name in expanded[0]}
        with torch.no_grad():
            output = self.kind.call(cast(Any, self.network), inputs, time, arguments)
        if output.shape[1] == 2 * x.shape[1]:
            output = output[:, : x.shape[1]]
        if output.shape != inputs.shape:
            raise UsageError(
                f"{type(self.network).__name__} gave shape {tuple(output.shape)} for samples of shape "
                f"{tuple(inputs.shape)}, expected equal shapes; give samples of the network's size"
            )
        return list(output.to(torch.promote_types(x.dtype, torch.float32)).chunk(len(conditions)))

    def _noise(self, output: Tensor, x: Tensor, t: int) -> Tensor:
        """eps = output_weight * output + x_weight * x; exact for networks that predict eps."""
        output_weight, x_weight = self.reading.output_weight[t], self.reading.x_weight[t]
        scaled = output if output_weight == 1.0 else output_weight * output
        return scaled if x_weight == 0.0 else scaled + x_weight * x

    def _check_samples(self, x: Tensor) -> None:
        channels = self.kind.channels
        if x.ndim != 4 or x.shape[1] != channels:
            shape = self.event_shape or (channels, "height", "width")
            raise UsageError(
                f"samples have shape {tuple(x.shape)}, expected [batch, {', '.join(map(str, shape))}] for "
                f"{type(self.network).__name__}; compose models of one data shape, and let latents stay latents"
            )
