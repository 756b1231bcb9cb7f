"""Training of both networks of canvases, on new canvases at every step."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.steps import TorchState, TorchTask
from onepaper.training import Fitted, Hook, LoopOptions
from torch import Tensor

from compose_diffusion.config.positions import PositionNetworkConfig, PositionsConfig
from compose_diffusion.data.canvases import draw_canvases, one_position, training_batches
from compose_diffusion.diffusion import NoiseSchedule, make_schedule
from compose_diffusion.models.positions import (
    ENERGY_FOLDER,
    SCORE_FOLDER,
    PositionEnergy,
    PositionNetwork,
    make_network,
)
from compose_diffusion.training.network_training import EVALUATION_SEED, Batch, Training, fit_averaged, noised_batch

NUM_HELD_OUT = 128


def noise_loss(schedule: NoiseSchedule) -> Callable[[PositionNetwork, Batch, torch.Generator], tuple[Tensor, int]]:
    r"""$|\hat\epsilon(x_t, t, (x, y)) - \epsilon|^2 / D$ at a uniformly drawn level; the prediction of an
    energy is its gradient, so its loss is differentiated twice."""

    def loss(model: PositionNetwork, batch: Batch, generator: torch.Generator) -> tuple[Tensor, int]:
        images, noise, t = noised_batch(batch["images"], schedule, generator)
        predict = model.predicted_noise if isinstance(model, PositionEnergy) else model
        errors = (predict(images, t, batch["positions"]) - noise).square().flatten(1).mean(dim=1)
        return errors.sum(), len(errors)

    return loss


def train_network(
    config: PositionsConfig,
    network: PositionNetworkConfig,
    run: Run | None,
    loop: LoopOptions,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    *,
    hooks: Sequence[Hook[TorchState]] = (),
) -> tuple[PositionNetwork, Fitted[TorchState]]:
    """Train one network, or resume its training.

    Args:
        config: canvases, both networks' training, fraction of withheld positions.
        network: `config.score` or `config.energy`.
        run: destination of checkpoints and logs; None writes none.
        loop: number of steps (that of the network's `FitConfig`) and intervals of logs and checkpoints.
        seed: of weights, canvases, levels, noise.
        accelerator: device and precision; the best device by default.
        hooks: called as `hook(step, state, row)` after each log row.

    Returns:
        The network with averaged weights in evaluation mode, and how the training ended.
    """
    options = config.energy_fit if network.form == "energy" else config.score_fit
    task = TorchTask(
        lambda: make_network(network),
        noise_loss(make_schedule(network.schedule)),
        options.optimizer,
        total_steps=options.steps,
        accelerator=accelerator,
    )
    accelerator = task.accelerator
    return fit_averaged(
        task,
        training_batches(config, options.batch_size, seed=seed, rank=accelerator.rank, world=accelerator.world),
        loop,
        run,
        seed=seed,
        description=network.form,
        held_out=_held_out(config),
        hooks=hooks,
    )


def _held_out(config: PositionsConfig) -> Batch:
    """Canvases of digits that no training canvas shows, the same at every evaluation."""
    rng = np.random.default_rng(EVALUATION_SEED)
    canvases = draw_canvases(NUM_HELD_OUT, config.canvas, "evaluator", rng)
    return {"images": canvases.images, "positions": one_position(canvases, config.unconditional, rng)}


def trainings(config: PositionsConfig) -> list[Training]:
    """The trainings of the `train` verb: the score network, then the energy."""

    def training(name: str, network: PositionNetworkConfig, steps: int) -> Training:
        description = f"the {network.form} network of 1 to {config.canvas.max_digits} digits on new canvases"
        return Training(name, steps, description, partial(train_network, config, network))

    return [
        training(SCORE_FOLDER, config.score, config.score_fit.steps),
        training(ENERGY_FOLDER, config.energy, config.energy_fit.steps),
    ]
