r"""One PyTorch training step: accumulation, reduction over processes, clipping, optimiser, moving average.

A loss function returns sums, `(loss_sum, weight)`, so that the gradient
$\nabla \sum_i \mathrm{loss\_sum}_i \,/\, \sum_i \mathrm{weight}_i$ is the same however the batch is split into
micro-batches and over processes.
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from onepaper.checkpoints import Tree
from onepaper.data import map_arrays
from onepaper.errors import UsageError
from onepaper.optimizer import OptimizerOptions
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.state_files import model_tensors, read_state, write_state

Loss = Callable[[Any, Any, torch.Generator], Sequence[Any]]


@dataclass
class TorchState:
    """Everything that a step changes; it is changed in place."""

    model: nn.Module
    wrapped: nn.Module
    """the loss as a module, wrapped by DDP or FSDP2 in a distributed run"""
    optimizer: torch.optim.Optimizer
    ema: dict[str, Tensor]
    step: int
    seed: int


class _LossModule(nn.Module):
    """The loss as the forward of a module: one call for DDP and FSDP2, however the loss uses the model."""

    def __init__(self, model: nn.Module, loss: Loss) -> None:
        super().__init__()
        self.model, self.loss = model, loss

    def forward(self, batch: Any, generator: torch.Generator) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        loss_sum, weight, *more = self.loss(self.model, batch, generator)
        return loss_sum, torch.as_tensor(weight, device=loss_sum.device), dict(*more)


class TorchTask:
    """A task for `onepaper.training.fit` from a model and a loss.

    Randomness is a function of (seed, step, process): every step first seeds the generator of the loss and torch's
    global one, which `nn.Dropout` uses. Evaluations between steps and resuming do not change the result.

    Args:
        build: constructs the model (called with torch's global generator seeded).
        loss: `loss(model, batch, generator) -> (loss_sum, weight)` or `(loss_sum, weight, {name: sum})`; the sums of
            the dictionary are logged after division by the weight.
        optimizer: options of optimiser, schedule, clipping, moving average, accumulation.
        total_steps: length of the training, for the cosine and linear schedules.
        accelerator: device, precision and processes; one with default options if absent.
    """

    def __init__(
        self,
        build: Callable[[], nn.Module],
        loss: Loss,
        optimizer: OptimizerOptions,
        *,
        total_steps: int | None = None,
        accelerator: Accelerator | None = None,
    ) -> None:
        optimizer.check_total(total_steps)
        self.build, self.loss, self.options, self.total_steps = build, loss, optimizer, total_steps
        self.accelerator = accelerator or Accelerator()
        self._generator = torch.Generator(self.accelerator.device)

    def init(self, seed: int) -> TorchState:
        """A new model and optimiser, equal on every process."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = self.build().to(self.accelerator.device).train()
        if self.accelerator.options.compile:
            model.compile()
        wrapped = self.accelerator.wrap(_LossModule(model, self.loss))
        optimizer = make_optimizer(model, self.options)
        ema = {}
        if self.options.ema_decay:
            ema = {name: value.detach().clone() for name, value in model.named_parameters()}
        return TorchState(model, wrapped, optimizer, ema, step=0, seed=seed)

    def step(self, state: TorchState, batch: Any) -> tuple[TorchState, dict[str, Any]]:
        """One update from this process's part of the batch."""
        generator = self._seed(state)
        batch = map_arrays(self._to_device, batch)
        parts = split(batch, self.options.accumulation)
        names: list[str] = []
        totals: Any = 0
        for index, part in enumerate(parts):
            with self.accelerator.micro_batch(state.wrapped, last=index == len(parts) - 1):
                with self.accelerator.autocast():
                    loss_sum, weight, more = state.wrapped(part, generator)
                loss_sum.backward()
            names = list(more)
            totals = totals + self._stack([loss_sum, weight, *more.values()])
        totals = self.accelerator.sum(totals)
        means = (totals / totals[1]).float()

        lr = self.options.lr_at(state.step, self.total_steps)
        norm = self._scale_gradients(state.model, totals[1])
        for group in state.optimizer.param_groups:
            group["lr"] = lr
        state.optimizer.step()
        state.optimizer.zero_grad(set_to_none=True)
        if state.ema:
            decay = self.options.ema_decay_at(state.step)
            weights = [local(value.detach()) for value in state.model.parameters()]
            torch._foreach_lerp_([local(value) for value in state.ema.values()], weights, 1.0 - decay)  # pyright: ignore
        state.step += 1
        metrics = {"loss": means[0], "grad_norm": norm, "lr": lr, **dict(zip(names, means[2:], strict=True))}
        return state, metrics

    @contextlib.contextmanager
    def evaluating(self, state: TorchState, *, averaged: bool = True) -> Iterator[nn.Module]:
        """The model in evaluation mode without gradients, with the averaged weights if they are kept."""
        weights = dict(state.model.named_parameters())
        kept = {name: weights[name].detach().clone() for name in state.ema} if averaged else {}
        with torch.no_grad():
            for name in kept:
                weights[name].copy_(state.ema[name])
            state.model.eval()
            try:
                yield state.model
            finally:
                state.model.train()
                for name, value in kept.items():
                    weights[name].copy_(value)

    def non_finite(self, state: TorchState) -> str | None:
        """The first parameter, average or optimiser tensor with NaN or infinity; buffers may hold infinities."""
        buffers = {f"model/{name}" for name, _ in state.model.named_buffers()}
        for name, tensor in self.tensors(state).items():
            if name not in buffers and tensor.is_floating_point() and not local(tensor).isfinite().all():
                return name
        return None

    def tensors(self, state: TorchState) -> dict[str, Tensor]:
        """Every tensor of the state by name, as in a checkpoint."""
        names: dict[Tensor, str] = {parameter: name for name, parameter in state.model.named_parameters()}
        tensors = {f"model/{name}": tensor for name, tensor in model_tensors(state.model).items()}
        tensors |= {f"ema/{name}": tensor for name, tensor in state.ema.items()}
        for parameter, slots in state.optimizer.state.items():
            tensors |= {
                f"optimizer/{names[parameter]}/{slot}": value
                for slot, value in slots.items()
                if isinstance(value, Tensor)
            }
        return tensors

    def save(self, state: TorchState, folder: Path) -> Tree:
        """Write the tensors, the step and the seed."""
        if self.accelerator.is_main:
            (folder / "state.json").write_text(json.dumps({"step": state.step, "seed": state.seed}))
        return write_state(folder, self.tensors(state), main_process=self.accelerator.is_main)

    def restore(self, folder: Path, tree: Tree) -> TorchState:
        """The state in `folder`."""
        values = json.loads((folder / "state.json").read_text())
        state = self.init(values["seed"])
        state.step = values["step"]
        read_state(folder, self.tensors(state), tree)
        return state

    def _seed(self, state: TorchState) -> torch.Generator:
        entropy = np.random.SeedSequence([state.seed, state.step, self.accelerator.rank])
        first, second = entropy.generate_state(2)
        torch.manual_seed(int(first))
        return self._generator.manual_seed(int(second))

    def _to_device(self, array: Any) -> Tensor:
        return torch.as_tensor(array).to(self.accelerator.device, non_blocking=True)

    def _stack(self, sums: Sequence[Tensor]) -> Tensor:
        exact = torch.float32 if self.accelerator.device.type == "mps" else torch.float64
        return torch.stack([value.detach().to(exact) for value in sums])

    def _scale_gradients(self, model: nn.Module, weight: Tensor) -> Tensor:
        """Scale gradients of the sum (averaged over processes) to those of the mean loss, and clip; their norm."""
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        if isinstance(norm, DTensor):
            norm = norm.full_tensor()
        factor = (self.accelerator.world / weight).to(norm.dtype)
        norm = norm * factor
        if self.options.clip_norm:
            factor = factor * (self.options.clip_norm / norm).clamp(max=1.0)
        torch._foreach_mul_([local(gradient) for gradient in gradients], factor)  # pyright: ignore
        return norm


def local(tensor: Tensor) -> Tensor:
    """The local part of a sharded tensor (a view); any other tensor unchanged."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def split(batch: Any, parts: int) -> list[Any]:
    """A batch as `parts` equal micro-batches along the first axis.

    Raises:
        UsageError: it does not divide evenly.
    """
    if parts == 1:
        return [batch]

    def piece(array: Tensor, index: int) -> Tensor:
        if len(array) % parts:
            raise UsageError(f"a batch of {len(array)} per process does not divide into {parts} micro-batches")
        return array.chunk(parts)[index]

    return [map_arrays(lambda array, index=index: piece(array, index), batch) for index in range(parts)]


def make_optimizer(model: nn.Module, options: OptimizerOptions) -> torch.optim.Optimizer:
    """The optimiser with its state allocated, so that the checkpoint of step 0 has the same tree as all others."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    decayed = [parameter for parameter in trained if options.decay == "all" or parameter.ndim >= 2]
    spared = [parameter for parameter in trained if options.decay == "matrices" and parameter.ndim < 2]
    groups: list[dict[str, Any]] = [{"params": decayed, "weight_decay": options.weight_decay}]
    if spared:
        groups.append({"params": spared, "weight_decay": 0.0})
    optimizer: torch.optim.Optimizer
    if options.name == "sgd":
        optimizer = torch.optim.SGD(groups, lr=0.0, momentum=options.momentum)
    else:
        kind = torch.optim.AdamW if options.name == "adamw" else torch.optim.Adam
        optimizer = kind(groups, lr=0.0, betas=options.betas, eps=options.epsilon)
    # An update with zero gradients and learning rate 0 allocates the state and leaves the weights; then it is zeroed.
    for parameter in trained:
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    for slots in optimizer.state.values():
        for value in slots.values():
            if isinstance(value, Tensor):
                value.zero_()
    return optimizer
