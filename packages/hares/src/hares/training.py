"""Pre-training: SimCLR, COLA and supervised, with example mixing (paper, sections 2.2 and 3, appendix C)."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from onepaper.data import Prefetch
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.steps import Loss, TorchState, TorchTask
from onepaper.training import Hook, fit
from torch import Tensor
from torch.nn import functional as F

from hares.config import TrainConfig
from hares.data.pool import Pool, crop_batches, open_pool
from hares.models.encoder import Encoder
from hares.models.objectives import Pretrainer, cola_losses, contrastive_losses, interleave
from hares.spectrograms.log_mel import log_of_power, mel_power, standardize
from hares.spectrograms.mixing import draw_partners, draw_ratios, mix


def make_views(
    samples: Float[Tensor, "batch samples"], config: TrainConfig, generator: torch.Generator
) -> tuple[Float[Tensor, "batch frames mels"], Tensor, Tensor]:
    """Spectrograms of crops, each mixed with another of the batch; and partners and ratios."""
    front_end = config.encoder.front_end
    spectrogram = mel_power(samples, front_end)
    count, device = len(samples), samples.device
    partners = torch.arange(count, device=device)
    ratios = torch.ones(count, device=device)
    if config.mix_domain != "none":
        ratios = draw_ratios(count, *config.mix, generator, device)
        partners = draw_partners(count, generator, device)
    if config.mix_domain == "power":
        spectrogram = mix(spectrogram, partners, ratios)
    spectrogram = log_of_power(spectrogram, front_end)
    if config.mix_domain == "log":
        spectrogram = mix(spectrogram, partners, ratios)
    return (standardize(spectrogram) if front_end.standardize else spectrogram), partners, ratios


def make_loss(config: TrainConfig, accelerator: Accelerator, classes: int) -> Loss:
    """The loss of an objective: summed over this process's rows, and their number."""

    def simclr(model: Pretrainer, batch: Any, generator: torch.Generator) -> tuple[Tensor, int]:
        first, second, _ = batch
        views = [make_views(samples, config, generator)[0] for samples in (first, second)]
        local = F.normalize(model(interleave(*views)).float(), dim=-1)
        rows = accelerator.gather(local)
        losses = contrastive_losses(local, rows, accelerator.rank * len(local), len(rows) // 2, config.temperature)
        return losses.sum(), len(local)

    def cola(model: Pretrainer, batch: Any, generator: torch.Generator) -> tuple[Tensor, int]:
        first, second, _ = batch
        anchors, views = (model(make_views(samples, config, generator)[0]).float() for samples in (first, second))
        rows = accelerator.gather(views)
        losses = cola_losses(anchors, rows, model.similarity, accelerator.rank * len(anchors))
        return losses.sum(), len(anchors)

    def supervised(model: Pretrainer, batch: Any, generator: torch.Generator) -> tuple[Tensor, int]:
        samples, _, labels = batch
        views, partners, ratios = make_views(samples, config, generator)
        targets = mix(F.one_hot(labels, classes).to(views.dtype), partners, ratios)
        return F.cross_entropy(model(views).float(), targets, reduction="sum"), len(samples)

    return {"simclr": simclr, "cola": cola, "supervised": supervised}[config.objective]


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
    task = TorchTask(
        lambda: Pretrainer(config, len(pool.classes)),
        make_loss(config, accelerator, len(pool.classes)),
        config.optimizer,
        total_steps=config.loop.steps,
        accelerator=accelerator,
    )
    batches = crop_batches(pool, config, seed=seed, rank=accelerator.rank, world=accelerator.world)
    with Prefetch(batches) as prefetched:
        fitted = fit(task, prefetched, config.loop, run, seed=seed, hooks=hooks, processes=accelerator)
    encoder = Encoder(config.encoder)
    with task.evaluating(fitted.state) as trained:
        encoder.load_state_dict(trained.encoder.state_dict())  # pyright: ignore
    return encoder.eval()
