"""Device, precision and threads of a PyTorch program, and its processes under torchrun."""

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Any, Self, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.nn.parallel import DistributedDataParallel

from onepaper.accelerator import AcceleratorOptions, Processes, check_peers
from onepaper.errors import UsageError


def choose_device(name: str = "auto") -> torch.device:
    """The device called `name`; auto takes CUDA, then Apple's MPS, then the CPU.

    Raises:
        UsageError: the device is not available.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(kind for kind, available in present.items() if available)
    if not present.get(name):
        found = ", ".join(kind for kind, available in present.items() if available)
        raise UsageError(f"device '{name}' is not available to PyTorch here; there is: {found}")
    return torch.device(name)


# gloo's threads take the interpreter's lock to free the tensors of their last collective, shortly after it has returned
# here. `Accelerator.close` avoids two failures at the end of a run that follow from this:
# * a DDP model that outlives `close` owns the last reference to the group; freeing it joins those threads while holding
#   the lock, a deadlock. So closed groups are kept until the interpreter ends.
# * the interpreter ends first, and a thread that then takes the lock aborts the process. So `close` sleeps briefly with
#   the lock released.
_closed_groups: list[Any] = []
SETTLE_SECONDS = 0.3


class Accelerator(Processes):
    """The device and the processes of a run: a single process, or those that torchrun started.

    Model code contains no parallelism; `wrap` adds it from outside.

    Args:
        options: device, precision, threads, compile, shards.

    Raises:
        UsageError: the device is not available, or the processes do not divide into groups of `shards`.
    """

    def __init__(self, options: AcceleratorOptions | None = None) -> None:
        self.options = options or AcceleratorOptions()
        self.device = choose_device(self.options.device)
        if self.options.threads:
            torch.set_num_threads(self.options.threads)
        self.rank, self.world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        shards = self.options.shards
        if self.world % shards:
            raise UsageError(f"{self.world} processes do not divide into groups of {shards} shards")
        self.distributed = "WORLD_SIZE" in os.environ
        self._mesh: DeviceMesh | None = None
        self._started = False
        if not self.distributed:
            return
        if self.device.type == "cuda":
            self.device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
            torch.cuda.set_device(self.device)
        if not dist.is_initialized():
            dist.init_process_group("nccl" if self.device.type == "cuda" else "gloo")
            self._started = True
        if shards > 1:
            sizes, names = (
                ((shards,), ("shard",))
                if shards == self.world
                else (
                    (self.world // shards, shards),
                    ("replicate", "shard"),
                )
            )
            self._mesh = init_device_mesh(self.device.type, sizes, mesh_dim_names=names)

    def wrap(self, module: nn.Module) -> nn.Module:
        """`module` with its gradients averaged over the processes: DDP, or FSDP2 where parameters are sharded.

        FSDP2 shards each block of every `nn.ModuleList` separately, so that one block at a time is gathered.
        """
        if self._mesh is not None:
            for stack in reversed([child for child in module.modules() if isinstance(child, nn.ModuleList)]):
                for block in stack:
                    if not isinstance(block, nn.ModuleList):
                        fully_shard(block, mesh=self._mesh)
            return cast(nn.Module, fully_shard(module, mesh=self._mesh))
        if self.world > 1:
            devices = [self.device.index] if self.device.type == "cuda" else None
            return DistributedDataParallel(module, device_ids=devices)
        return module

    @contextlib.contextmanager
    def micro_batch(self, wrapped: nn.Module, last: bool) -> Iterator[None]:
        """Precision and gradient exchange of one micro-batch; only the last one exchanges gradients."""
        with contextlib.ExitStack() as stack:
            if isinstance(wrapped, FSDPModule):
                wrapped.set_requires_gradient_sync(last)
            elif isinstance(wrapped, DistributedDataParallel) and not last:
                stack.enter_context(wrapped.no_sync())
            yield

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """The context of a forward pass: with bf16, matrix products in bfloat16."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.precision == "bf16")

    def sum(self, values: Tensor) -> Tensor:
        """The sum of `values` over the processes."""
        if self.world > 1:
            dist.all_reduce(values)
        return values

    def gather(self, values: Tensor) -> Tensor:
        """The rows of `values` of all processes, in their order; each gradient flows back to its process.

        For losses over the whole batch, such as contrastive ones. A process compares its own rows, which begin at
        `rank * len(values)`, with all rows, and returns the sum over its own. With `accumulation` a batch is one
        micro-batch of every process.

        Args:
            values: of equal shape on all processes.
        """
        if self.world == 1:
            return values
        from torch.distributed.nn.functional import all_gather

        return torch.cat(list(all_gather(values)))

    def barrier(self) -> None:
        """Wait until every process has reached this call."""
        self.any(False)

    def any(self, flag: bool) -> bool:
        """Whether `flag` holds on at least one process."""
        if self.world == 1:
            return flag
        return bool(self.sum(torch.tensor(int(flag), device=self.device)).item())

    def broadcast(self, value: int) -> int:
        """The main process's `value`."""
        return int(self.sum(torch.tensor(value if self.is_main else 0, device=self.device)).item())

    def close(self) -> None:
        """Leave the process group; every process calls it before it ends."""
        if self._started and dist.is_initialized():
            time.sleep(SETTLE_SECONDS)
            _closed_groups.append(dist.group.WORLD)
            dist.destroy_process_group()
            self._started = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if self.world > 1:
            check_peers(error)
        self.close()
