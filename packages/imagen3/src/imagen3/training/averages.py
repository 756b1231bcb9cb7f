r"""Averages of the weights by a power function, and others of any width afterwards (Karras et al., 2024, section 3).

After n steps an average is $\bar\theta_n = \beta_n \bar\theta_{n-1} + (1 - \beta_n) \theta_n$ with $\beta_n =
(1 - 1/n)^{\gamma + 1}$: the weights of step $\tau$ count in proportion to $\tau^\gamma$. Its relative width is the
standard deviation of that profile over the length of the training. Snapshots of two such averages, taken now and then,
give those of other widths as the combination whose profile is nearest by least squares.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from onepaper.errors import UsageError
from onepaper.fingerprint.marks import unmeasured
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.state_files import write_safetensors
from onepaper.torch.steps import TorchState, TorchTask, local
from onepaper.training import LoopOptions
from safetensors import safe_open
from torch import Tensor

from imagen3.pretrained.systems import System, open_system
from imagen3.training.sharded import gathered

FOLDER, SNAPSHOT = "averages", "step_{step:08d}.safetensors"


def exponent(width: float) -> float:
    r"""The $\gamma$ of a relative width s: the real root of $s^2 = (\gamma + 1) / ((\gamma + 2)^2 (\gamma + 3))$."""
    inverse = width**-2
    roots = np.roots([1, 7, 16 - inverse, 12 - inverse])
    return float(max(root.real for root in roots if abs(root.imag) < 1e-9))


def average_decay(step: int, gamma: float) -> float:
    """Decay of the average after update `step` (counted from 0); the first one takes the weights as they are."""
    return (1 - 1 / (step + 1)) ** (gamma + 1)


@dataclass
class PowerAverageState(TorchState):
    """Everything that a step changes, with the averages by their width."""

    averages: dict[str, dict[str, Tensor]] = field(default_factory=dict[str, dict[str, Tensor]])


@unmeasured
class PowerAverageTask(TorchTask):
    """A `TorchTask` that keeps averages by a power function beside that of its options.

    Args:
        widths: relative widths.
        arguments: of `TorchTask`.
        options: of `TorchTask`.
    """

    def __init__(self, widths: Sequence[float], *arguments: Any, **options: Any) -> None:
        self.exponents = {str(width): exponent(width) for width in widths}
        super().__init__(*arguments, **options)

    def init(self, seed: int) -> PowerAverageState:
        """A new model, optimiser and averages."""
        state = super().init(seed)
        weights = dict(state.model.named_parameters())
        averages = {name: {key: value.detach().clone() for key, value in weights.items()} for name in self.exponents}
        return PowerAverageState(**vars(state), averages=averages)

    def step(self, state: TorchState, batch: Any) -> tuple[TorchState, dict[str, Any]]:
        """One update from this process's part of the batch."""
        assert isinstance(state, PowerAverageState)
        done = state.step
        _, metrics = super().step(state, batch)
        weights = [local(value.detach()) for value in state.model.parameters()]
        for name, gamma in self.exponents.items():
            average = [local(value) for value in state.averages[name].values()]
            torch._foreach_lerp_(average, weights, 1.0 - average_decay(done, gamma))  # pyright: ignore
        return state, metrics

    def tensors(self, state: TorchState) -> dict[str, Tensor]:
        """Every tensor of the state by name, as in a checkpoint."""
        assert isinstance(state, PowerAverageState)
        return super().tensors(state) | {
            f"averages/{width}/{name}": value
            for width, average in state.averages.items()
            for name, value in average.items()
        }


@unmeasured
def snapshot_hook(
    folder: Path, loop: LoopOptions, accelerator: Accelerator
) -> Callable[[int, Any, Mapping[str, Any]], None]:
    """A hook of `fit` that writes the averages with every checkpoint and at the end, in half precision."""
    target = folder / FOLDER
    every = loop.checkpoint_every or loop.steps

    def hook(step: int, state: Any, metrics: Mapping[str, Any]) -> None:
        if step % every and step != loop.steps:
            return
        whole = {
            f"{width}/{name}": value.half()
            for width, average in state.averages.items()
            for name, value in gathered(average).items()
        }
        if accelerator.is_main:
            target.mkdir(parents=True, exist_ok=True)
            temporary = target / "partial.tmp"
            write_safetensors(temporary, whole)
            temporary.replace(target / SNAPSHOT.format(step=step))

    return hook


def profile_products(
    steps: Float[np.ndarray, " a"],
    exponents: Float[np.ndarray, " a"],
    other_steps: Float[np.ndarray, " b"],
    other_exponents: Float[np.ndarray, " b"],
) -> Float[np.ndarray, "a b"]:
    r"""Integrals of products of profiles $p(\tau) = (\gamma + 1) \tau^\gamma / t^{\gamma + 1}$, $0 < \tau < t$."""
    t, u = steps[:, None], other_steps[None]
    g, h = exponents[:, None], other_exponents[None]
    logs = (g + h + 1) * np.log(np.minimum(t, u)) - (g + 1) * np.log(t) - (h + 1) * np.log(u)
    return (g + 1) * (h + 1) / (g + h + 1) * np.exp(logs)


def combination(
    steps: Float[np.ndarray, " snapshots"], exponents: Float[np.ndarray, " snapshots"], step: float, gamma: float
) -> Float[np.ndarray, " snapshots"]:
    """Factors of snapshots whose sum has the profile that is nearest to that of one step and exponent."""
    products = profile_products(steps, exponents, steps, exponents)
    wanted = profile_products(steps, exponents, np.array([step]), np.array([gamma]))[:, 0]
    return np.linalg.lstsq(products, wanted, rcond=None)[0]


def combined_weights(folder: Path, width: float) -> dict[str, Tensor]:
    """The average of a relative width at the last step, from the snapshots of a training.

    Args:
        folder: of the training of the denoiser, with `averages/`.
        width: relative width, from 0.01 to 0.28.

    Raises:
        UsageError: there are no snapshots, or the width is out of range.
    """
    if not 0.01 <= width <= 0.28:
        raise UsageError(f"the width of the average is {width}, expected a number from 0.01 to 0.28")
    files = sorted((folder / FOLDER).glob("step_*.safetensors"))
    if not files:
        raise UsageError(
            f"{folder / FOLDER} has no snapshots; train with --denoiser-training.averages, e.g. '0.05 0.1'"
        )
    kept = []
    for file in files:
        with safe_open(file, framework="pt") as opened:
            kept += [(file, name) for name in sorted({key.partition("/")[0] for key in opened.keys()})]  # noqa: SIM118
    steps = np.array([int(file.stem.partition("_")[2]) for file, _ in kept], np.float64)
    gammas = np.array([exponent(float(name)) for _, name in kept])
    factors = combination(steps, gammas, steps.max(), exponent(width))
    total: dict[str, Tensor] = {}
    for (file, name), factor in zip(kept, factors, strict=True):
        with safe_open(file, framework="pt") as opened:
            for key in opened.keys():  # noqa: SIM118
                if key.startswith(f"{name}/"):
                    part = key.partition("/")[2]
                    value = float(factor) * opened.get_tensor(key).double()
                    total[part] = total[part] + value if part in total else value
    return {name: value.float() for name, value in total.items()}


def averaged_system(run: Path, width: float) -> System:
    """The system of a training run, with the average of a relative width as the weights of its denoiser.

    Raises:
        UsageError: as `open_system` and `combined_weights`.
    """
    weights = combined_weights(run / "denoiser", width)
    system = open_system(run)
    system.denoiser.load_state_dict(weights, strict=False)
    return system
