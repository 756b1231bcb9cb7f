"""What a run is given: a device, a precision, threads, and the processes it shares the work with."""

from dataclasses import dataclass
from typing import Literal

from onepaper.config import check_choice, check_non_negative, check_positive


@dataclass(frozen=True)
class DeviceOptions:
    """Where to compute."""

    device: str = "auto"
    """auto (the best there is), cpu, cuda, mps (PyTorch), tpu (JAX)"""
    threads: int = 0
    """CPU threads of this process; 0 leaves the framework's choice"""

    def __post_init__(self) -> None:
        check_choice("device", self.device, ("auto", "cpu", "cuda", "mps", "tpu"))
        check_non_negative("threads", self.threads)


@dataclass(frozen=True)
class AcceleratorOptions(DeviceOptions):
    """How to use the machine. The same options serve both frameworks."""

    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16: matrix products in bfloat16; parameters, optimiser and reductions stay in float32"""
    compile: bool = False
    """torch.compile the model (JAX always compiles)"""
    shards: int = 1
    """devices over which one copy of the parameters is spread (FSDP); 1 keeps a whole copy on each"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("precision", self.precision, ("fp32", "bf16"))
        check_positive("shards", self.shards)


class Processes:
    """The processes of one run, seen from one of them. This class is a process alone; back ends subclass it."""

    rank: int = 0
    world: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process writes logs and commits checkpoints."""
        return self.rank == 0

    def barrier(self) -> None:
        """Wait until every process is here."""

    def any(self, flag: bool) -> bool:
        """Whether `flag` holds on at least one process; every process gets the same answer."""
        return flag

    def broadcast(self, value: int) -> int:
        """The main process's `value`, on every process."""
        return value
