"""Pre-training by one of five objectives, on one or several processes."""

from collections.abc import Sequence
from typing import Any

import torch
from onepaper.data import Prefetch
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.steps import TorchState, TorchTask, local
from onepaper.training import Hook, fit

from hares.config import TrainConfig
from hares.data.pool import Pool, crop_batches, open_pool
from hares.losses import build_model, make_loss
from hares.models.byol import Byol
from hares.models.encoder import Encoder


class PretrainingTask(TorchTask):
    """A task whose steps also move the target network of BYOL towards the online network.

    Args:
        config: objective and encoder.
        classes: number of labels of a supervised training.
        accelerator: device, precision and processes.
    """

    def __init__(self, config: TrainConfig, classes: int, accelerator: Accelerator) -> None:
        super().__init__(
            lambda: build_model(config, classes),
            make_loss(config, accelerator, classes),
            config.optimizer,
            total_steps=config.loop.steps,
            accelerator=accelerator,
        )
        self._decay = config.byol.decay

    def step(self, state: TorchState, batch: Any) -> tuple[TorchState, dict[str, Any]]:
        """One update from this process's part of the batch."""
        state, metrics = super().step(state, batch)
        if isinstance(state.model, Byol):
            targets, online = zip(*state.model.pairs(), strict=True)
            weights = [local(value.detach()) for value in online]
            torch._foreach_lerp_([local(value) for value in targets], weights, 1.0 - self._decay)  # pyright: ignore
        return state, metrics


def train(
    config: TrainConfig,
    run: Run | None = None,
    *,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    pool: Pool | None = None,
    hooks: Sequence[Hook[TorchState]] = (),
) -> Encoder:
    """Pre-train, resuming from the newest checkpoint of `run` if there is one; the encoder without its head.

    Args:
        config: audio, encoder, objective and training.
        run: where logs and checkpoints go; None keeps nothing.
        seed: of the weights, the crops and the augmentations.
        accelerator: device, precision and processes; the best device by default.
        pool: audio of your own; None: that of the configuration.
        hooks: called as `hook(step, state, row)` after each log row, with the row's numbers.

    Raises:
        UsageError: the pool cannot be read, or a supervised training has one class.
    """
    accelerator = accelerator or Accelerator()
    pool = pool or open_pool(config.pool, config.encoder.front_end.rate)
    task = PretrainingTask(config, len(pool.classes), accelerator)
    batches = crop_batches(pool, config, seed=seed, rank=accelerator.rank, world=accelerator.world)
    with Prefetch(batches) as prefetched:
        fitted = fit(task, prefetched, config.loop, run, seed=seed, hooks=hooks, processes=accelerator)
    encoder = Encoder(config.encoder)
    with task.evaluating(fitted.state) as trained:
        encoder.load_state_dict(trained.encoder.state_dict())  # pyright: ignore
    return encoder.eval()
