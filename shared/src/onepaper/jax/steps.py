r"""One JAX training step: accumulation, clipping, optimiser, moving average, compiled as one program.

A loss function returns sums, `(loss_sum, weight)`, so that the gradient
$\nabla \sum_i \mathrm{loss\_sum}_i \,/\, \sum_i \mathrm{weight}_i$ is the same however the batch is split into
micro-batches and over devices. The model is stepped functionally (`nnx.split`), and each step donates the memory of
the previous state.
"""

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec

from onepaper.checkpoints import Tree
from onepaper.errors import UsageError
from onepaper.jax.accelerator import Accelerator
from onepaper.jax.state_files import flatten, read_state, write_state
from onepaper.optimizer import OptimizerOptions

Loss = Callable[[Any, Any, jax.Array], Sequence[Any]]
Arrays = dict[str, Any]


@dataclass(frozen=True)
class JaxState:
    """Everything that a step changes. A step donates (invalidates) the arrays of the state that it is given."""

    arrays: Arrays
    """`params`, `rest` (other variables), `optimizer`, `ema`, `key`"""
    step: int


class JaxTask:
    """A task for `onepaper.training.fit` from a Flax NNX model and a loss.

    The loss gets a key derived from (seed, step, micro-batch). Arrays span all devices, so that the results do not
    depend on the number of devices.

    Args:
        build: constructs the model.
        loss: `loss(model, batch, key) -> (loss_sum, weight)` or `(loss_sum, weight, {name: sum})`; the sums of the
            dictionary are logged after division by the weight.
        optimizer: options of optimiser, schedule, clipping, moving average, accumulation.
        total_steps: length of the training, for the cosine and linear schedules.
        accelerator: devices, precision and processes; one with default options if absent.
    """

    def __init__(
        self,
        build: Callable[[nnx.Rngs], nnx.Module],
        loss: Loss,
        optimizer: OptimizerOptions,
        *,
        total_steps: int | None = None,
        accelerator: Accelerator | None = None,
    ) -> None:
        optimizer.check_total(total_steps)
        self.loss, self.options, self.total_steps = loss, optimizer, total_steps
        self.accelerator = accelerator or Accelerator()
        self._build = build
        self._direction = make_optimizer(optimizer)
        self._graph = nnx.split(nnx.eval_shape(lambda: self._model(jax.random.key(0))))[0]
        abstract = jax.eval_shape(self._create, jax.random.key(0))
        self._shardings = jax.tree.map(lambda leaf: self.accelerator.sharding(leaf.shape), abstract)
        self._abstract = jax.tree.map(
            lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
            abstract,
            self._shardings,
        )
        whole = NamedSharding(self.accelerator.mesh, PartitionSpec())
        self._init = jax.jit(self._create, out_shardings=self._shardings)
        self._update = jax.jit(self._step, donate_argnums=0, out_shardings=(self._shardings, whole))
        self._all_finite = jax.jit(lambda arrays: [jnp.isfinite(array).all() for array in arrays], out_shardings=whole)

    def init(self, seed: int) -> JaxState:
        """A new model and optimiser."""
        return JaxState(self._init(jax.random.key(seed)), step=0)

    def step(self, state: JaxState, batch: Any) -> tuple[JaxState, dict[str, Any]]:
        """One update from this process's part of the batch; returns before the devices have finished."""
        lr = self.options.lr_at(state.step, self.total_steps)
        decay = self.options.ema_decay_at(state.step)
        numbers = np.uint32(state.step), np.float32(lr), np.float32(decay)
        arrays, metrics = self._update(state.arrays, self.accelerator.place(batch), *numbers)
        return JaxState(arrays, state.step + 1), {**metrics, "lr": lr}

    def model(self, state: JaxState, *, averaged: bool = True) -> nnx.Module:
        """The model in evaluation mode, with the averaged weights if they are kept; the next step invalidates it."""
        weights = state.arrays["ema"] if averaged and self.options.ema_decay else state.arrays["params"]
        model = nnx.merge(self._graph, weights, state.arrays["rest"], copy=True)
        model.eval()
        return model

    def non_finite(self, state: JaxState) -> str | None:
        """The first parameter, average or optimiser array with NaN or infinity; other variables may hold infinities."""
        arrays = flatten({name: state.arrays[name] for name in ("params", "ema", "optimizer")})
        floats = {name: array for name, array in arrays.items() if jnp.issubdtype(array.dtype, jnp.floating)}
        finite = self._all_finite(list(floats.values()))
        return next((name for name, good in zip(floats, finite, strict=True) if not good), None)

    def save(self, state: JaxState, folder: Path) -> Tree:
        """Write the arrays and the step."""
        if self.accelerator.is_main:
            (folder / "state.json").write_text(json.dumps({"step": state.step}))
        return write_state(folder, flatten(state.arrays))

    def restore(self, folder: Path, tree: Tree) -> JaxState:
        """The state in `folder`, distributed over the devices of this run."""
        loaded = read_state(folder, flatten(self._abstract), tree)
        leaves = [loaded[name] for name in flatten(self._abstract)]
        arrays = jax.tree.unflatten(jax.tree.structure(self._abstract), leaves)
        return JaxState(arrays, json.loads((folder / "state.json").read_text())["step"])

    def _model(self, key: jax.Array) -> nnx.Module:
        model = self._build(nnx.Rngs(key))
        self.accelerator.apply_precision(model)
        return model

    def _create(self, key: jax.Array) -> Arrays:
        build_key, step_key = jax.random.split(key)
        _, params, rest = nnx.split(self._model(build_key), nnx.Param, ...)
        # A copy, because an array may not be donated twice.
        ema = jax.tree.map(jnp.copy, params) if self.options.ema_decay else {}
        return {"params": params, "rest": rest, "optimizer": self._direction.init(params), "ema": ema, "key": step_key}

    def _step(self, arrays: Arrays, batch: Any, step: Any, lr: Any, decay: Any) -> tuple[Arrays, dict[str, Any]]:
        params, key = arrays["params"], jax.random.fold_in(arrays["key"], step)

        def sums(params: Any, rest: Any, part: Any, key: jax.Array) -> tuple[jax.Array, tuple[dict[str, Any], Any]]:
            # copy=True: dropout counters change inside the gradient's trace and are returned as a result.
            model = nnx.merge(self._graph, params, rest, copy=True)
            model.train()
            loss_sum, weight, *more = self.loss(model, part, key)
            named = {"loss": loss_sum, "weight": jnp.asarray(weight), **dict(*more)}
            named = {name: jnp.asarray(value, jnp.float32) for name, value in named.items()}
            return named["loss"], (named, nnx.split(model, nnx.Param, ...)[2])

        gradient = jax.grad(sums, has_aux=True)

        def accumulate(carry: Any, numbered: Any) -> tuple[Any, None]:
            rest, total = carry
            index, part = numbered
            gradients, (named, rest) = gradient(params, rest, part, jax.random.fold_in(key, index))
            return (rest, jax.tree.map(jnp.add, total, (gradients, named))), None

        parts = self.options.accumulation
        if parts == 1:
            gradients, (named, rest) = gradient(params, arrays["rest"], batch, jax.random.fold_in(key, 0))
        else:
            numbered = (jnp.arange(parts), jax.tree.map(functools.partial(_split, parts=parts), batch))
            first = jax.tree.map(lambda array: array[0], numbered)
            shapes = jax.eval_shape(gradient, params, arrays["rest"], first[1], key)
            zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), (shapes[0], shapes[1][0]))
            (rest, (gradients, named)), _ = jax.lax.scan(accumulate, (arrays["rest"], zeros), numbered)

        weight = named.pop("weight")
        gradients = jax.tree.map(lambda gradient: gradient / weight, gradients)
        norm = jnp.sqrt(sum(jnp.square(gradient).sum() for gradient in jax.tree.leaves(gradients)))
        if self.options.clip_norm:
            scale = jnp.minimum(1.0, self.options.clip_norm / norm)
            gradients = jax.tree.map(lambda gradient: gradient * scale, gradients)
        direction, optimizer = self._direction.update(gradients, arrays["optimizer"], params)
        params = jax.tree.map(lambda param, move: (param - lr * move).astype(param.dtype), params, direction)
        ema = arrays["ema"]
        if self.options.ema_decay:
            ema = jax.tree.map(lambda old, new: old + (1.0 - decay) * (new - old), ema, params)
        metrics = {name: value / weight for name, value in named.items()} | {"grad_norm": norm}
        new = {"params": params, "rest": rest, "optimizer": optimizer, "ema": ema, "key": arrays["key"]}
        return new, metrics


def _split(array: jax.Array, parts: int) -> jax.Array:
    """Micro-batches on a new first axis, each of every `parts`-th example, so that each spans all devices."""
    if array.shape[0] % parts:
        raise UsageError(f"a batch of {array.shape[0]} does not divide into {parts} micro-batches")
    return jnp.swapaxes(array.reshape(array.shape[0] // parts, parts, *array.shape[1:]), 0, 1)


def make_optimizer(options: OptimizerOptions) -> optax.GradientTransformation:
    """The update direction before the learning rate: the caller subtracts lr times it."""

    def chosen(params: Any) -> Any:
        return jax.tree.map(lambda param: options.decay == "all" or param.ndim >= 2, params)

    decay = optax.add_decayed_weights(options.weight_decay, mask=chosen)
    if options.name == "sgd":
        return optax.chain(decay, optax.trace(options.momentum) if options.momentum else optax.identity())
    adam = optax.scale_by_adam(*options.betas, eps=options.epsilon)
    return optax.chain(adam, decay) if options.name == "adamw" else optax.chain(decay, adam)
