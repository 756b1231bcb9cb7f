"""The PyTorch training step with an optimiser of one's own and several moving averages of the weights.

State that a step updates without gradients (the statistics of a codebook, a controller of a rate) needs nothing here:
it is a buffer of the model, assigned in the loss from sums over all processes (`Accelerator.sum`), so that every
process computes the same value. It is saved and restored with the model.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from onepaper.config import check_between
from onepaper.optimizer import OptimizerOptions
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.steps import Loss, TorchState, TorchTask, local


@dataclass
class CustomTorchState(TorchState):
    """Everything that a step changes, with the further averages by their decay."""

    averages: dict[str, dict[str, Tensor]] = field(default_factory=dict[str, dict[str, Tensor]])


class CustomTorchTask(TorchTask):
    r"""A `TorchTask` with any optimiser over groups of parameters and moving averages of several decays.

    A step sets the rate $\eta_t$ of `optimizer` for all groups. A group may have two keys of ours beside those of
    torch: `lr_scale`, a factor of its rate, and `clip_norm`, the largest L2 norm of its own gradient:

        def make(model):
            groups = group_parameters(model, {"time_warp.": "warp"}, "body")
            warp = {"params": groups["warp"], "lr_scale": 10.0, "clip_norm": 1.0}
            return torch.optim.AdamW([{"params": groups["body"]}, warp])

    Args:
        build: constructs the model.
        loss: as of `TorchTask`.
        optimizer: options of schedule, clipping, accumulation and of the average `ema`; its optimiser (`name`,
            `betas`, ..., `weight_decay`) is used where there is no `make_optimizer`.
        make_optimizer: an optimiser of the model's parameters.
        averages: decays of further moving averages of all weights, e.g. (0.999, 0.9999), beside that of `optimizer`.
        total_steps: length of the training, for the cosine and linear schedules.
        accelerator: device, precision and processes; one with default options if absent.

    Raises:
        UsageError: a decay is not between 0 and 1.
    """

    def __init__(
        self,
        build: Callable[[], nn.Module],
        loss: Loss,
        optimizer: OptimizerOptions,
        *,
        make_optimizer: Callable[[nn.Module], torch.optim.Optimizer] | None = None,
        averages: Sequence[float] = (),
        total_steps: int | None = None,
        accelerator: Accelerator | None = None,
    ) -> None:
        for decay in averages:
            check_between("averages", decay, 0.0, 1.0)
        self.averages = {str(decay): decay for decay in averages}
        self._make_optimizer = make_optimizer
        super().__init__(build, loss, optimizer, total_steps=total_steps, accelerator=accelerator)

    def init(self, seed: int) -> CustomTorchState:
        """A new model and optimiser, equal on every process."""
        state = super().init(seed)
        if self._make_optimizer:
            state.optimizer = _with_state(self._make_optimizer(state.model))
        state.optimizer.register_step_pre_hook(_apply_group_options)
        weights = dict(state.model.named_parameters())
        averages = {name: {key: value.detach().clone() for key, value in weights.items()} for name in self.averages}
        return CustomTorchState(**vars(state), averages=averages)

    def step(self, state: TorchState, batch: Any) -> tuple[TorchState, dict[str, Any]]:
        """One update from this process's part of the batch."""
        assert isinstance(state, CustomTorchState)
        done = state.step
        _, metrics = super().step(state, batch)
        weights = [local(value.detach()) for value in state.model.parameters()]
        for name, largest in self.averages.items():
            kept = min(largest, (1 + done) / (10 + done)) if self.options.ema_warmup else largest
            average = [local(value) for value in state.averages[name].values()]
            torch._foreach_lerp_(average, weights, 1.0 - kept)  # pyright: ignore
        return state, metrics

    @contextlib.contextmanager
    def evaluating(
        self, state: TorchState, *, averaged: bool = True, decay: float | None = None
    ) -> Iterator[nn.Module]:
        """The model without gradients, with the average of `decay` (one of `averages`) or as by `TorchTask`."""
        assert isinstance(state, CustomTorchState)
        if decay is not None:
            state, averaged = dataclasses.replace(state, ema=state.averages[str(decay)]), True
        with super().evaluating(state, averaged=averaged) as model:
            yield model

    def tensors(self, state: TorchState) -> dict[str, Tensor]:
        """Every tensor of the state by name, as in a checkpoint."""
        assert isinstance(state, CustomTorchState)
        averages = {
            f"averages/{decay}/{name}": value
            for decay, average in state.averages.items()
            for name, value in average.items()
        }
        return super().tensors(state) | averages


def group_parameters(model: nn.Module, labels: dict[str, str], default: str) -> dict[str, list[nn.Parameter]]:
    """The trained parameters by label, which is that of the beginning of their names, e.g. `layers.0.weight`.

    Args:
        model: whose parameters are grouped.
        labels: beginning of a name -> label; the first that fits counts.
        default: label of the other parameters.
    """
    groups: dict[str, list[nn.Parameter]] = {label: [] for label in (default, *labels.values())}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups[next((labels[start] for start in labels if name.startswith(start)), default)].append(parameter)
    return groups


def _apply_group_options(optimizer: torch.optim.Optimizer, *_: Any) -> None:
    """Before a step: scale the rates of groups with `lr_scale`, clip the gradients of those with `clip_norm`."""
    for group in optimizer.param_groups:
        group["lr"] *= group.get("lr_scale", 1.0)
        if largest := group.get("clip_norm"):
            gradients = [parameter.grad for parameter in group["params"] if parameter.grad is not None]
            norm = nn.utils.get_total_norm(gradients)
            norm = norm.full_tensor() if isinstance(norm, DTensor) else norm
            factor = (largest / norm).clamp(max=1.0)
            torch._foreach_mul_([local(gradient) for gradient in gradients], factor)  # pyright: ignore


def _with_state(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """The optimiser with its state allocated and zero, so that every checkpoint has the same tree."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    for slots in optimizer.state.values():
        for value in slots.values():
            if isinstance(value, Tensor):
                value.zero_()
    return optimizer
