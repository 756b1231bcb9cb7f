"""Options of the machine (device, precision, threads, shards), and the processes of a run."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from onepaper.config import check_between, check_choice, check_positive, outside_identity
from onepaper.errors import OnePaperError, PeerLostError

T = TypeVar("T")

DEVICES = ("auto", "cpu", "cuda", "gpu", "mps", "tpu")
MOST_THREADS = 1024
"""More than any machine has; libraries fail without a message where the system gives no more threads."""


@dataclass(frozen=True)
class DeviceOptions:
    """The device and its threads."""

    device: str = "auto"
    """auto (the fastest available), cpu, cuda (or gpu), mps (PyTorch), tpu (JAX)"""
    threads: int = 0
    """CPU threads of this process; 0 for the framework's default"""

    def __post_init__(self) -> None:
        check_choice("device", self.device, DEVICES)
        check_between("threads", self.threads, 0, MOST_THREADS)
        if self.device == "gpu":  # JAX's word
            object.__setattr__(self, "device", "cuda")


@dataclass(frozen=True)
class AcceleratorOptions(DeviceOptions):
    """How to use the machine; the same options for both frameworks."""

    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16: matrix products in bfloat16; parameters, optimiser and reductions stay in float32"""
    compile: bool = False
    """torch.compile the model (JAX always compiles)"""
    shards: int = 1
    """devices over which one copy of the parameters is split (FSDP); 1 keeps a full copy on each"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("precision", self.precision, ("fp32", "bf16"))
        check_positive("shards", self.shards)


# A run may continue on another machine.
outside_identity(DeviceOptions, "device", "threads")
outside_identity(AcceleratorOptions, "compile", "shards")


# What the messages of gloo, NCCL and JAX's coordination service have in common when a process is gone.
_LOST = re.compile(r"gloo|nccl|connection (reset|closed|refused)|heartbeat|coordination service", re.IGNORECASE)


def check_peers(error: BaseException | None) -> None:
    """Raise `PeerLostError` if `error` is a back end's about a process that does not answer any more."""
    if isinstance(error, RuntimeError | ValueError) and _LOST.search(str(error)):
        raise PeerLostError(
            "another process of this run was lost; its own messages say why. Start all processes again by the same "
            f"command: a training goes on from its last checkpoint ({' '.join(str(error).split())[:200]})"
        ) from error


class Processes:
    """The processes of a run, seen from one of them. This class is a single process; the back ends subclass it."""

    rank: int = 0
    world: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process writes logs and commits checkpoints."""
        return self.rank == 0

    def barrier(self) -> None:
        """Wait until every process has reached this call."""

    def any(self, flag: bool) -> bool:
        """Whether `flag` holds on at least one process; every process gets the same answer."""
        return flag

    def broadcast(self, value: int) -> int:
        """The main process's `value`, on every process."""
        return value

    def run_together(self, action: Callable[[], T]) -> T:
        """Run `action` and wait for the other processes; if it fails on one, all raise, so that none waits forever."""
        problem: Exception | None = None
        result: list[T] = []
        try:
            result.append(action())
        except Exception as error:  # raised again below, once the other processes know
            problem = error
        failed = self.any(problem is not None)
        if problem is not None:
            raise problem
        if failed:
            raise OnePaperError("another process of this run failed; see its message")
        return result[0]
