"""Whole models of a training whose parameters are sharded over processes (FSDP2)."""

import contextlib
from collections.abc import Iterator, Mapping

import torch
from onepaper.torch.steps import TorchState, TorchTask
from torch import Tensor, nn
from torch.distributed.tensor import DTensor


def gathered(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of which each process has a part as whole ones; all processes call it."""
    return {name: value.full_tensor() if isinstance(value, DTensor) else value for name, value in tensors.items()}


@contextlib.contextmanager
def evaluating(task: TorchTask, state: TorchState) -> Iterator[nn.Module]:
    """The model of `task.evaluating`, or a whole copy of it: parts of a sharded one are gathered in its loss only."""
    with task.evaluating(state) as model:
        weights = model.state_dict()
        if any(isinstance(value, DTensor) for value in weights.values()):
            with torch.random.fork_rng(devices=[]):
                model = task.build().to(task.accelerator.device)
            model.load_state_dict(gathered(weights))
            model.requires_grad_(False).eval()
        yield model
