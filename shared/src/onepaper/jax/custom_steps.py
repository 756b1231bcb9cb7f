"""The JAX training step with an optimiser of one's own and several moving averages of the weights.

State that a step updates without gradients (the statistics of a codebook, a controller of a rate) needs nothing here:
it is an `nnx.Variable` of the model that is no `nnx.Param`, assigned in the loss. Arrays span all devices and
processes, so that such an update sees the whole batch; the variable is saved, restored and sharded with the rest.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from onepaper.config import check_between
from onepaper.jax.accelerator import Accelerator
from onepaper.jax.state_files import flatten
from onepaper.jax.steps import Arrays, JaxState, JaxTask, Loss, make_optimizer
from onepaper.optimizer import OptimizerOptions


class CustomJaxTask(JaxTask):
    r"""A `JaxTask` whose optimiser is any optax transformation, with moving averages of several decays.

    The weights become $\theta - \eta_t d$, with the direction $d$ of the transformation and the rate $\eta_t$ of
    `optimizer`. A relative rate for some weights is a factor in their transformation, and a norm of their own to clip
    to is one more transformation (`clip_norm` of `optimizer` clips all weights together):

        directions = {
            "body": optax.scale_by_adam(),
            "warp": optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam(), optax.scale(10.0)),
        }
        direction = optax.multi_transform(directions, label_parameters({"time_warp/": "warp"}, "body"))

    Args:
        build: constructs the model.
        loss: as of `JaxTask`.
        optimizer: options of schedule, clipping, accumulation and of the average `ema`; its optimiser (`name`,
            `betas`, ..., `weight_decay`) is used where there is no `direction`.
        direction: a transformation of gradients to what is subtracted, times the learning rate: `optax.scale_by_adam`,
            not `optax.adam`, which includes the rate and the sign.
        averages: decays of further moving averages of all weights, e.g. (0.999, 0.9999), beside that of `optimizer`.
        total_steps: length of the training, for the cosine and linear schedules.
        accelerator: devices, precision and processes; one with default options if absent.

    Raises:
        UsageError: a decay is not between 0 and 1.
    """

    def __init__(
        self,
        build: Callable[[nnx.Rngs], nnx.Module],
        loss: Loss,
        optimizer: OptimizerOptions,
        *,
        direction: optax.GradientTransformation | None = None,
        averages: Sequence[float] = (),
        total_steps: int | None = None,
        accelerator: Accelerator | None = None,
    ) -> None:
        for decay in averages:
            check_between("averages", decay, 0.0, 1.0)
        self.averages = {str(decay): decay for decay in averages}
        self._chosen = direction or make_optimizer(optimizer)
        super().__init__(build, loss, optimizer, total_steps=total_steps, accelerator=accelerator)
        self._direction = self._chosen  # steps are compiled later, at the first call

    def model(self, state: JaxState, *, averaged: bool = True, decay: float | None = None) -> nnx.Module:
        """The model in evaluation mode, with the average of `decay` (one of `averages`) or as by `JaxTask`."""
        if decay is None:
            return super().model(state, averaged=averaged)
        return super().model(
            JaxState(state.arrays | {"params": state.arrays["averages"][str(decay)]}, state.step), averaged=False
        )

    def _create(self, key: jax.Array) -> Arrays:
        arrays = super()._create(key)
        params = arrays["params"]
        averages = {name: jax.tree.map(jnp.copy, params) for name in self.averages}
        return arrays | {"optimizer": self._chosen.init(params), "averages": averages}

    def _step(self, arrays: Arrays, batch: Any, step: Any, lr: Any, decay: Any) -> tuple[Arrays, dict[str, Any]]:
        new, metrics = super()._step(arrays, batch, step, lr, decay)
        averages: Arrays = {}
        for name, largest in self.averages.items():
            kept = jnp.minimum(largest, (1 + step) / (10 + step)) if self.options.ema_warmup else largest
            averages[name] = jax.tree.map(
                lambda old, value, kept=kept: (old + (1 - kept) * (value - old)).astype(old.dtype),
                arrays["averages"][name],
                new["params"],
            )
        return new | {"averages": averages}, metrics


def label_parameters(labels: dict[str, str], default: str) -> Callable[[Any], Any]:
    """For `optax.multi_transform`: the label of each parameter by the beginning of its name, e.g. `layers/0/kernel`.

    Args:
        labels: beginning of a name -> label; the first that fits counts.
        default: label of the other parameters.
    """

    def label(params: Any) -> Any:
        names = [
            next((labels[start] for start in labels if name.startswith(start)), default) for name in flatten(params)
        ]
        return jax.tree.unflatten(jax.tree.structure(params), names)

    return label
