r"""One model on many devices: a mesh with the axes (data, shard, tensor, context).

Batches are split over `data` and `shard`, parameters and optimiser over `shard` and `tensor`, heads and hidden units
over `tensor`, and the M inputs of the cross-attention over `context`. Only one layer sees the long axis, so no ring is
needed: each device has its slice of keys and values and all N queries, finds $(o_i, l_i)$ among its slice, and one
combination makes the whole, $l = \log \sum_i e^{l_i}$ and $o = \sum_i e^{l_i - l} o_i$.

The numbers do not depend on the mesh. What XLA partitions by itself follows from where arrays lie; only the
cross-attention is told how.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Float, Int
from onepaper.accelerator import AcceleratorOptions
from onepaper.config import check_positive
from onepaper.data import map_arrays
from onepaper.errors import UsageError
from onepaper.jax.accelerator import Accelerator

from perceiver_ar.config import ModelConfig
from perceiver_ar.models.attention import NOBODY, Partial, attend_by_index
from perceiver_ar.models.perceiver_ar import Inputs, PerceiverAR

AXES = ("data", "shard", "tensor", "context")


BATCH = ("data", "shard")


# Arrays with fewer numbers stay whole on every device: gathering them would cost more than it saves.
WHOLE_BELOW = 2**14


class MeshAccelerator(Accelerator):
    """The devices of a run as a mesh with four axes; `data` is what the others leave.

    Args:
        options: as of `Accelerator`; `shards` is the size of the axis `shard`.
        tensor: devices over which heads, hidden units and the vocabulary are split.
        context: devices over which the inputs of the cross-attention are split.

    Raises:
        UsageError: as of `Accelerator`, or the devices do not divide into such groups.
    """

    def __init__(self, options: AcceleratorOptions | None = None, *, tensor: int = 1, context: int = 1) -> None:
        check_positive("tensor", tensor)
        check_positive("context", context)
        super().__init__(options)
        devices, group = self.mesh.devices.reshape(-1), self.options.shards * tensor * context
        if len(devices) % group:
            raise UsageError(
                f"{len(devices)} devices do not divide into groups of {group}: {self.options.shards} shards, "
                f"{tensor} tensor, {context} context"
            )
        grid = devices.reshape(-1, self.options.shards, tensor, context)
        self.mesh = Mesh(grid, AXES, axis_types=(AxisType.Auto,) * len(AXES))

    def sharding(self, shape: tuple[int, ...]) -> NamedSharding:
        """How an array of the state is laid out: the longest axis over `tensor`, the next longest over `shard`.

        Of equally long ones the last goes first, so that square matrices are split by columns. Axes that do not divide
        evenly, and small arrays, stay whole.
        """
        spec: list[str | None] = [None] * len(shape)
        if np.prod(shape) >= WHOLE_BELOW:
            for name in ("tensor", "shard"):
                size = self.mesh.shape[name]
                free = [axis for axis, taken in enumerate(spec) if taken is None and shape[axis] % size == 0]
                if size > 1 and free:
                    spec[max(free, key=lambda axis: (shape[axis], axis))] = name
        return NamedSharding(self.mesh, PartitionSpec(*spec))

    def place(self, batch: Any) -> Any:
        """This process's part of a batch: rows over `data` and `shard`, the next axis over `context` where it divides.

        Raises:
            UsageError: the rows do not divide evenly.
        """
        groups = self.mesh.shape["data"] * self.mesh.shape["shard"]

        def put(array: Any) -> jax.Array:
            if len(array) * self.world % groups:
                raise UsageError(
                    f"a batch of {len(array) * self.world} does not divide over {groups} groups of devices"
                )
            along = "context" if array.ndim > 1 and array.shape[1] % self.mesh.shape["context"] == 0 else None
            sharding = NamedSharding(self.mesh, PartitionSpec(BATCH, *[along] * (array.ndim > 1)))
            if self.world == 1:
                return jax.device_put(array, sharding)
            whole = (len(array) * self.world, *array.shape[1:])
            return jax.make_array_from_process_local_data(sharding, np.asarray(array), whole)

        return map_arrays(put, batch)


class ShardedPerceiverAR(PerceiverAR):
    """A Perceiver AR whose cross-attention is split over the axis `context` of a mesh; same arrays, same numbers.

    Args:
        config: the architecture.
        mesh: with the axes of `MeshAccelerator`.
    """

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs, mesh: Mesh) -> None:
        super().__init__(config, rngs)
        self.mesh = mesh

    def find(
        self,
        q: Float[Array, "batch latents heads channels"],
        given: Inputs,
        places: Int[Array, "batch latents"],
        key_index: Int[Array, "batch inputs"] | None = None,
        hidden: Bool[Array, "batch inputs"] | None = None,
    ) -> Partial:
        """As of `PerceiverAR`; each device embeds, projects and attends to its slice of the inputs."""
        mesh, (batch, total) = self.mesh, given.tokens.shape
        if key_index is None:  # the last rows are the latents' own: who sees whom follows from the order of the rows
            key_index = jnp.broadcast_to(jnp.arange(total), given.tokens.shape)
            places = key_index[:, total - q.shape[1] :]
        if hidden is None:
            hidden = jnp.zeros(given.tokens.shape, bool)
        missing = -total % mesh.shape["context"]
        rows = BATCH if batch % (mesh.shape["data"] * mesh.shape["shard"]) == 0 else None
        heads = "tensor" if q.shape[2] % mesh.shape["tensor"] == 0 else None

        def sliced(array: Array, padding: Any) -> Array:
            array = jnp.pad(array, ((0, 0), (0, missing), *[(0, 0)] * (array.ndim - 2)), constant_values=padding)
            return jax.lax.with_sharding_constraint(array, NamedSharding(mesh, PartitionSpec(rows, "context")))

        k, v = self.keys_values(jax.tree.map(lambda array: sliced(array, 0), given))
        whole, slices = PartitionSpec(rows, None, heads), PartitionSpec(rows, "context", heads)
        found = jax.shard_map(
            self._find_in_slice,
            mesh=mesh,
            in_specs=(whole, slices, slices, PartitionSpec(rows), *[PartitionSpec(rows, "context")] * 2),
            out_specs=(whole, whole),
            check_vma=False,  # the kernel's loops begin with constants, which that check takes for another kind
        )(q, k, v, places, sliced(key_index, NOBODY), sliced(hidden, False))
        return Partial(*found)

    def _find_in_slice(self, q: Array, k: Array, v: Array, places: Array, key_index: Array, hidden: Array) -> Any:
        part = attend_by_index(q, k, v, places, key_index, hidden, chunk=self.config.chunk)
        largest = jax.lax.pmax(jax.lax.stop_gradient(part.log_sum), "context")
        weight = jnp.exp(part.log_sum - largest)
        total = jax.lax.psum(weight, "context")
        values = jax.lax.psum(weight[..., None] * part.values, "context") / total[..., None]
        return values, largest + jnp.log(total)


def model_builder(config: ModelConfig, accelerator: Accelerator) -> Callable[[nnx.Rngs], PerceiverAR]:
    """What makes the model of a training: split where the accelerator splits contexts, plain otherwise."""
    if isinstance(accelerator, MeshAccelerator) and accelerator.mesh.shape["context"] > 1:
        return lambda rngs: ShardedPerceiverAR(config, rngs, accelerator.mesh)
    return lambda rngs: PerceiverAR(config, rngs)
