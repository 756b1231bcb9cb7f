"""Platform, precision and threads of a JAX program, and a mesh over the devices of one or more processes."""

import os
from typing import Any, Self

import jax
import numpy as np
from flax import nnx
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from onepaper.accelerator import AcceleratorOptions, DeviceOptions, Processes, check_peers
from onepaper.data import map_arrays
from onepaper.errors import UsageError

BATCH = PartitionSpec(("data", "shard"))


def use_device(options: DeviceOptions) -> None:
    """Select the platform for verbs that need no mesh; call it before JAX is used.

    Raises:
        UsageError: the platform is not available.
    """
    _configure(options)
    _devices(options)


class Accelerator(Processes):
    """The devices of a run as a mesh with the axes (data, shard): batches are split over both, parameters over shard.

    Several processes form a cluster when `JAX_COORDINATOR_ADDRESS`, `JAX_NUM_PROCESSES` and `JAX_PROCESS_ID` are set,
    or under `srun` with more than one task. Construct it before anything else uses JAX's devices.

    Args:
        options: device, precision, threads, shards.

    Raises:
        UsageError: the platform is not available, or the devices do not divide into groups of `shards`.
    """

    def __init__(self, options: AcceleratorOptions | None = None) -> None:
        self.options = options or AcceleratorOptions()
        self._started = False
        _configure(self.options)
        if _several_processes() and not jax.distributed.is_initialized():
            jax.config.update("jax_cpu_collectives_implementation", "gloo")
            jax.distributed.initialize(**_cluster_from_environment())
            self._started = True
        devices = _devices(self.options)
        shards = self.options.shards
        if len(devices) % shards:
            raise UsageError(f"{len(devices)} devices do not divide into groups of {shards} shards")
        self.rank, self.world = jax.process_index(), jax.process_count()
        grid = np.asarray(devices).reshape(-1, shards)
        self.mesh = Mesh(grid, ("data", "shard"), axis_types=(AxisType.Auto, AxisType.Auto))

    def sharding(self, shape: tuple[int, ...]) -> NamedSharding:
        """The sharding of an array of the state: its longest axis that divides evenly is split over `shard`."""
        shards = self.options.shards
        axes = [axis for axis, size in enumerate(shape) if size % shards == 0 and size >= shards]
        if shards == 1 or not axes:
            return NamedSharding(self.mesh, PartitionSpec())
        longest = max(axes, key=lambda axis: shape[axis])
        return NamedSharding(self.mesh, PartitionSpec(*(None,) * longest, "shard"))

    def place(self, batch: Any) -> Any:
        """A batch, split over all devices; every process passes its own part.

        Raises:
            UsageError: the batch does not divide evenly.
        """
        devices = self.mesh.size // self.world
        sharding = NamedSharding(self.mesh, BATCH)

        def put(array: Any) -> jax.Array:
            if isinstance(array, jax.Array) and array.sharding == sharding:
                return array
            if len(array) % devices:
                raise UsageError(f"a batch of {len(array)} per process does not divide over its {devices} devices")
            if self.world == 1:
                return jax.device_put(array, sharding)
            return jax.make_array_from_process_local_data(sharding, np.asarray(array))

        return map_arrays(put, batch)

    def apply_precision(self, model: nnx.Module) -> None:
        """With bf16, set the `dtype` of layers that multiply matrices to bfloat16, unless they have one."""
        if self.options.precision != "bf16":
            return
        kinds = (nnx.Linear, nnx.LinearGeneral, nnx.Einsum, nnx.Conv, nnx.ConvTranspose, nnx.MultiHeadAttention)
        for _, module in nnx.iter_modules(model):
            if isinstance(module, kinds) and module.dtype is None:
                module.dtype = jax.numpy.bfloat16

    def barrier(self) -> None:
        """Wait until every process has reached this call."""
        self.any(False)

    def any(self, flag: bool) -> bool:
        """Whether `flag` holds on at least one process."""
        if self.world == 1:
            return flag
        return bool(np.any(multihost_utils.process_allgather(np.asarray(flag))))

    def broadcast(self, value: int) -> int:
        """The main process's `value`."""
        return value if self.world == 1 else int(multihost_utils.broadcast_one_to_all(np.asarray(value)))

    def close(self) -> None:
        """Leave the cluster."""
        if self._started:
            jax.distributed.shutdown()
            self._started = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if self.world > 1:
            check_peers(error)
        self.close()


def _several_processes() -> bool:
    under_srun = "SLURM_STEP_ID" in os.environ and int(os.environ.get("SLURM_STEP_NUM_TASKS", 1)) > 1
    return "JAX_COORDINATOR_ADDRESS" in os.environ or under_srun


def _cluster_from_environment() -> dict[str, Any]:
    """Number of processes and index of this one from the environment; JAX detects the rest (under srun all of it)."""
    names = {"num_processes": "JAX_NUM_PROCESSES", "process_id": "JAX_PROCESS_ID"}
    return {name: int(os.environ[variable]) for name, variable in names.items() if variable in os.environ}


def _configure(options: DeviceOptions) -> None:
    _set_threads(options.threads)
    if options.device != "auto":
        jax.config.update("jax_platforms", options.device)


def _devices(options: DeviceOptions) -> list[Any]:
    message = f"device '{options.device}' is not available to JAX here"
    try:
        devices = jax.devices()
    except (RuntimeError, AssertionError) as error:  # an AssertionError where no plugin for the platform is installed
        jax.config.update("jax_platforms", None)
        problem = str(error).splitlines()[0] if str(error) else "JAX is installed without it"
        raise UsageError(f"{message} ({problem}); choose cpu or auto") from error
    platform = {"cuda": "gpu"}.get(options.device, options.device)
    if platform not in ("auto", devices[0].platform):
        # JAX ignores a platform that is set after its first use.
        raise UsageError(f"{message}: this process already computes on {devices[0].platform}")
    return devices


def _set_threads(threads: int) -> None:
    """Set XLA's flags, which are read once, at the first use of a device; the CPU has one thread or the default."""
    if threads > 1:
        raise UsageError(f"threads is {threads}; JAX takes 1, or 0 for its own choice")
    flags = os.environ.get("XLA_FLAGS", "")
    if threads == 1 and "xla_cpu_multi_thread_eigen" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1".strip()
