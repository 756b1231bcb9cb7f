r"""A model sharded over a device mesh with the axes (data, shard, tensor, context).

Batches are sharded over `data` and `shard`, parameters and optimizer state over `shard` and `tensor`, heads and hidden
units over `tensor`, and the M inputs of the cross-attention over `context`. Only one layer has the long axis, so ring
attention is not needed: each device has a slice of the keys and values and all N queries, computes $(o_i, l_i)$ for its
slice, and the results are combined by $l = \log \sum_i e^{l_i}$ and $o = \sum_i e^{l_i - l} o_i$.

Results do not depend on the mesh. XLA partitions everything from the shardings of the arrays except the
cross-attention, which uses `shard_map`.
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
from perceiver_ar.models.attention import MASKED_KEY, PartialAttention, attend_by_index
from perceiver_ar.models.perceiver_ar import Inputs, PerceiverAR

AXES = ("data", "shard", "tensor", "context")


BATCH = ("data", "shard")


# Smaller arrays are replicated: gathering them would cost more than it saves.
REPLICATED_BELOW = 2**14


class MeshAccelerator(Accelerator):
    """The devices of a run as a mesh with four axes; `data` takes the devices that the other axes leave.

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
        """Sharding of a parameter: the longest axis over `tensor`, the next longest over `shard`.

        Among equally long axes the last is taken first, so that square matrices are split by columns. Axes that do not
        divide evenly, and small arrays, are replicated.
        """
        spec: list[str | None] = [None] * len(shape)
        if np.prod(shape) >= REPLICATED_BELOW:
            for name in ("tensor", "shard"):
                size = self.mesh.shape[name]
                free = [axis for axis, taken in enumerate(spec) if taken is None and shape[axis] % size == 0]
                if size > 1 and free:
                    spec[max(free, key=lambda axis: (shape[axis], axis))] = name
        return NamedSharding(self.mesh, PartitionSpec(*spec))

    def place(self, batch: Any) -> Any:
        """Shard this process's part of a batch: rows over `data` and `shard`, the second axis over `context`.

        The second axis stays unsharded where it does not divide evenly.

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
            global_shape = (len(array) * self.world, *array.shape[1:])
            return jax.make_array_from_process_local_data(sharding, np.asarray(array), global_shape)

        return map_arrays(put, batch)


class ShardedPerceiverAR(PerceiverAR):
    """A Perceiver AR whose cross-attention is sharded over the axis `context` of a mesh; same parameters and results.

    Args:
        config: the architecture.
        mesh: with the axes of `MeshAccelerator`.
    """

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs, mesh: Mesh) -> None:
        super().__init__(config, rngs)
        self.mesh = mesh

    def cross_attend(
        self,
        q: Float[Array, "batch latents heads channels"],
        inputs: Inputs,
        input_indices: Int[Array, "batch latents"],
        key_index: Int[Array, "batch inputs"] | None = None,
        dropped: Bool[Array, "batch inputs"] | None = None,
    ) -> PartialAttention:
        """As `PerceiverAR.cross_attend`; each device embeds, projects and attends to a slice of the inputs."""
        mesh, (batch, total) = self.mesh, inputs.tokens.shape
        if key_index is None:  # the last N inputs are those of the latents, so indices give the mask
            key_index = jnp.broadcast_to(jnp.arange(total), inputs.tokens.shape)
            input_indices = key_index[:, total - q.shape[1] :]
        if dropped is None:
            dropped = jnp.zeros(inputs.tokens.shape, bool)
        missing = -total % mesh.shape["context"]
        rows = BATCH if batch % (mesh.shape["data"] * mesh.shape["shard"]) == 0 else None
        heads = "tensor" if q.shape[2] % mesh.shape["tensor"] == 0 else None

        def sliced(array: Array, padding: Any) -> Array:
            array = jnp.pad(array, ((0, 0), (0, missing), *[(0, 0)] * (array.ndim - 2)), constant_values=padding)
            return jax.lax.with_sharding_constraint(array, NamedSharding(mesh, PartitionSpec(rows, "context")))

        k, v = self.keys_values(jax.tree.map(lambda array: sliced(array, 0), inputs))
        replicated, sharded = PartitionSpec(rows, None, heads), PartitionSpec(rows, "context", heads)
        found = jax.shard_map(
            self._attend_slice,
            mesh=mesh,
            in_specs=(replicated, sharded, sharded, PartitionSpec(rows), *[PartitionSpec(rows, "context")] * 2),
            out_specs=(replicated, replicated),
            check_vma=False,  # the check rejects the constant initial values of the loops in the attention
        )(q, k, v, input_indices, sliced(key_index, MASKED_KEY), sliced(dropped, False))
        return PartialAttention(*found)

    def _attend_slice(
        self, q: Array, k: Array, v: Array, input_indices: Array, key_index: Array, dropped: Array
    ) -> Any:
        part = attend_by_index(q, k, v, input_indices, key_index, dropped, chunk=self.config.chunk)
        largest = jax.lax.pmax(jax.lax.stop_gradient(part.log_sum), "context")
        weight = jnp.exp(part.log_sum - largest)
        total = jax.lax.psum(weight, "context")
        values = jax.lax.psum(weight[..., None] * part.values, "context") / total[..., None]
        return values, largest + jnp.log(total)


def model_builder(config: ModelConfig, accelerator: Accelerator) -> Callable[[nnx.Rngs], PerceiverAR]:
    """The constructor of the model to train: sharded if the accelerator has an axis `context`, plain otherwise."""
    if isinstance(accelerator, MeshAccelerator) and accelerator.mesh.shape["context"] > 1:
        return lambda rngs: ShardedPerceiverAR(config, rngs, accelerator.mesh)
    return lambda rngs: PerceiverAR(config, rngs)
