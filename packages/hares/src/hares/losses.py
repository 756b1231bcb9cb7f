"""The objectives of pre-training, from crops of waveforms to sums of losses (paper, sections 2.2 and 3, appendix C)."""

from typing import Any

import torch
from jaxtyping import Float
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.steps import Loss
from torch import Tensor, nn
from torch.nn import functional as F

from hares.config import TrainConfig
from hares.models.byol import Byol, byol_losses
from hares.models.objectives import Pretrainer, cola_losses, contrastive_losses, in_parts, interleave
from hares.models.predictive_coding import PredictiveCoder, cut_windows
from hares.spectrograms.augmentations import mix_as_powers, random_resize_crop
from hares.spectrograms.log_mel import log_of_power, mel_power, standardize
from hares.spectrograms.mixing import draw_partners, draw_ratios, mix

Spectrograms = Float[Tensor, "batch frames mels"]


def build_model(config: TrainConfig, classes: int = 0) -> nn.Module:
    """The network of an objective; its `encoder` is what a training is for."""
    if config.objective == "byol":
        return Byol(config)
    return PredictiveCoder(config) if config.objective == "cpc" else Pretrainer(config, classes)


def make_views(
    samples: Float[Tensor, "batch samples"], config: TrainConfig, generator: torch.Generator
) -> tuple[Spectrograms, Tensor, Tensor]:
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


def make_byol_view(log_mel: Spectrograms, config: TrainConfig, generator: torch.Generator) -> Spectrograms:
    """A view of normalised log-mels by the augmentations of BYOL-A; standardised as the encoder does."""
    count, device, byol = len(log_mel), log_mel.device, config.byol
    partners = draw_partners(count, generator, device)
    weights = byol.mix * torch.rand(count, generator=generator, device=device)
    mixed = mix_as_powers(log_mel, partners, weights)
    view = random_resize_crop(mixed, byol.scales, byol.canvas, generator)
    return standardize(view) if config.encoder.front_end.standardize else view


def make_loss(config: TrainConfig, accelerator: Accelerator, classes: int) -> Loss:
    """The loss of an objective: summed over this process's rows, and their number."""

    def simclr(model: Pretrainer, batch: Any, generator: torch.Generator) -> tuple[Tensor, int]:
        first, second, _ = batch
        views = [make_views(samples, config, generator)[0] for samples in (first, second)]
        local = F.normalize(in_parts(model, interleave(*views), config.cached_rows).float(), dim=-1)
        rows = accelerator.gather(local)
        losses = contrastive_losses(local, rows, accelerator.rank * len(local), len(rows) // 2, config.temperature)
        return losses.sum(), len(local)

    def cola(model: Pretrainer, batch: Any, generator: torch.Generator) -> tuple[Tensor, int]:
        first, second, _ = batch
        views = (make_views(samples, config, generator)[0] for samples in (first, second))
        anchors, others = (in_parts(model, view, config.cached_rows).float() for view in views)
        losses = cola_losses(anchors, accelerator.gather(others), model.similarity, accelerator.rank * len(anchors))
        return losses.sum(), len(anchors)

    def cpc(model: PredictiveCoder, batch: Any, generator: torch.Generator) -> tuple[Tensor, int]:
        windows = cut_windows(make_views(batch[0], config, generator)[0], config.cpc.frames, config.cpc.hop)
        rows = in_parts(model, windows.flatten(0, 1), config.cached_rows)
        own = rows.unflatten(0, windows.shape[:2])
        losses = model.losses(own, accelerator.gather(own), accelerator.rank * len(own))
        return losses.sum(), len(own)

    def byol(model: Byol, batch: Any, generator: torch.Generator) -> tuple[Tensor, int]:
        front_end = config.encoder.front_end
        log_mel = log_of_power(mel_power(batch[0], front_end), front_end)
        count = log_mel.numel() * accelerator.world
        mean = accelerator.sum(log_mel.sum()) / count
        model.norm.update(count, mean, accelerator.sum((log_mel - mean).square().sum()) / count)
        first, second = (make_byol_view(model.norm(log_mel), config, generator) for _ in range(2))
        # One batch an order of views: batch normalisation sees the views of both.
        views, exchanged = torch.cat([first, second]), torch.cat([second, first])
        losses = byol_losses(model(views), model.targets(exchanged))
        return losses.sum(), len(first)

    def supervised(model: Pretrainer, batch: Any, generator: torch.Generator) -> tuple[Tensor, int]:
        samples, _, labels = batch
        views, partners, ratios = make_views(samples, config, generator)
        targets = mix(F.one_hot(labels, classes).to(views.dtype), partners, ratios)
        return F.cross_entropy(model(views).float(), targets, reduction="sum"), len(samples)

    return {"simclr": simclr, "cola": cola, "cpc": cpc, "byol": byol, "supervised": supervised}[config.objective]
