"""Training of the denoiser on cached latents and text features."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.steps import TorchTask
from onepaper.training import Hook, LoopOptions, fit
from torch import Tensor, nn

from imagen3.config import SystemConfig
from imagen3.data.buckets import same_size
from imagen3.data.pictures import Pictures, bucket_sampler
from imagen3.diffusion.objectives import preconditioning
from imagen3.diffusion.times import noise_levels
from imagen3.models.autoencoder import Latents
from imagen3.models.networks import AnyAutoencoder, build_denoiser
from imagen3.text.encoder import TextFeatures
from imagen3.training.autoencoder import drawn_latents
from imagen3.training.averages import PowerAverageTask, snapshot_hook
from imagen3.training.cache import CaptionChoice, FeatureCache
from imagen3.training.draws import own_rows, random_rows
from imagen3.training.sharded import evaluating

Batch = dict[str, Tensor]
# A text for each picture, by number.
Choice = Callable[[np.ndarray, np.random.Generator], np.ndarray]

# Texts are drawn from (seed, step, this number), apart from the order of the pictures.
CAPTION_STREAM = 1
EVALUATION_SEED, EVALUATED_AT_ONCE = 0, 128


def denoiser_loss(
    config: SystemConfig, autoencoder: AnyAutoencoder, empty: TextFeatures
) -> Callable[[nn.Module, Batch, torch.Generator], Any]:
    r"""$|F(c_{in} z_t, t, c) - F^*|^2$ with $z_t = (1 - t) z_0 + t \epsilon$.

    The target $F^*$ is that whose velocity is $\epsilon - z_0$ (`preconditioning`); of rectified flow it is this one.
    The loss is the mean over the numbers of a latent, summed over the batch. `zero_loss` is that of the prediction 0.
    """

    def loss(model: nn.Module, batch: Batch, _: torch.Generator) -> Any:
        latents = Latents(batch["mean"], batch["log_variance"])
        sample, noise = batch["normal"].unbind(1)
        z = autoencoder.normalize(drawn_latents(latents, sample))
        level, dropout = batch["uniform"].unbind(1)
        text = TextFeatures(batch["tokens"], batch["mask"], batch["pooled"])
        text = drop_text(text, empty, dropout < config.objective.text_dropout)
        t = noise_levels(level, config.objective)
        level = t[:, None, None, None]
        noised = (1 - level) * z + level * noise
        factors = preconditioning(level, config.objective)
        target = (noise - z - factors.skip * noised) / factors.output
        errors = (model(factors.input * noised, t, text) - target).square().flatten(1).mean(1)
        return errors.sum(), len(errors), {"zero_loss": target.square().flatten(1).mean(1).sum()}

    return loss


def drop_text(text: TextFeatures, empty: TextFeatures, dropped: Bool[Tensor, " batch"]) -> TextFeatures:
    """Replace some texts by the empty one."""
    return TextFeatures(
        *(
            torch.where(dropped.view(-1, *[1] * (own.ndim - 1)), other.to(own.device), own)
            for own, other in zip(text, empty, strict=True)
        )
    )


def train_denoiser(
    config: SystemConfig,
    autoencoder: AnyAutoencoder,
    cache: FeatureCache,
    pictures: Pictures,
    run: Run | None = None,
    *,
    loop: LoopOptions | None = None,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    draw: Callable[[nn.Module], Mapping[str, bytes]] | None = None,
    hooks: Sequence[Hook[Any]] = (),
    start: nn.Module | None = None,
) -> tuple[nn.Module, bool]:
    """Train, or resume from the newest checkpoint of `run`; the model with averaged weights, and whether it is done.

    Args:
        config: of the system.
        autoencoder: whose latents are cached.
        cache: latents and text features.
        pictures: which belong to which part.
        run: where logs and checkpoints go; None keeps nothing.
        loop: in place of that of the configuration.
        seed: of the initial weights, the batches, captions and noise.
        accelerator: device, precision and processes.
        draw: samples of a model as files by name, asked for with every evaluation.
        hooks: called as `hook(step, state, row)` after each log row, with the row's numbers.
        start: a denoiser of this configuration, with whose weights the training begins; None for random ones.
    """
    training = config.denoiser_training
    accelerator = accelerator or Accelerator()
    autoencoder = autoencoder.to(accelerator.device)
    loss = denoiser_loss(config, autoencoder, cache.empty)

    def build() -> nn.Module:
        model = build_denoiser(config.denoiser)
        if start is not None:
            model.load_state_dict(start.state_dict())
        return model

    kind = partial(PowerAverageTask, training.averages) if training.averages else TorchTask
    task = kind(build, loss, training.optimizer, total_steps=training.loop.steps, accelerator=accelerator)
    choose = CaptionChoice(cache, config.data.synthetic_share)
    used, held_out = (pictures.indices(part, selected=True) for part in ("train", "validation"))
    sampler, rows = (
        bucket_sampler(pictures, used, training.batch_size, seed),
        own_rows(training.batch_size, accelerator),
    )

    def batches(step: int) -> Batch:
        numbers = used[sampler(step)]
        texts = choose(numbers, np.random.default_rng([seed, step, CAPTION_STREAM]))
        return make_batch(cache, numbers, texts, rows, seed=seed, step=step)

    def evaluate(state: Any) -> dict[str, float]:
        with evaluating(task, state) as model:
            return held_out_loss(model, loss, cache, held_out, choose)

    def show(state: Any) -> Mapping[str, bytes]:
        assert draw is not None
        with evaluating(task, state) as model:
            return draw(model)

    snapshots = [snapshot_hook(run.folder, training.loop, accelerator)] if training.averages and run else []
    fitted = fit(
        task,
        batches,
        loop or training.loop,
        run,
        seed=seed,
        evaluate=evaluate,
        draw=show if draw else None,
        hooks=[*snapshots, *hooks],
        processes=accelerator,
        description="denoiser",
    )
    model = build_denoiser(config.denoiser)
    with evaluating(task, fitted.state) as trained:
        model.load_state_dict(trained.state_dict())
    return model.eval(), fitted.finished


def make_batch(
    cache: FeatureCache,
    numbers: np.ndarray,
    texts: np.ndarray,
    rows: range,
    *,
    normals: int = 2,
    uniforms: int = 2,
    seed: int = EVALUATION_SEED,
    step: int = 0,
) -> Batch:
    """Some rows of a batch: latents of pictures, a text for each, and random numbers (`training.draws`)."""
    own = numbers[rows]
    mean, text = cache.mean[own], cache.text(texts[rows])
    drawn = random_rows(mean.shape[1:], rows, len(numbers), seed=seed, step=step, normals=normals, uniforms=uniforms)
    return {"mean": mean, "log_variance": cache.log_variance[own], **text._asdict(), **drawn}


@torch.inference_mode()
def held_out_loss(
    model: Any, loss: Callable[..., Any], cache: FeatureCache, numbers: np.ndarray, choose: Choice
) -> dict[str, float]:
    """Mean loss of pictures that are not learned from, with the same noise at every evaluation."""
    device = next(model.parameters()).device
    captions = np.random.default_rng(EVALUATION_SEED)
    generator = torch.Generator(device)
    total = zero = 0.0
    for step, part in enumerate(same_size(cache.mean, numbers, EVALUATED_AT_ONCE)):
        batch = make_batch(cache, part, choose(part, captions), range(len(part)), step=step)
        error, _, more = loss(model, {name: value.to(device) for name, value in batch.items()}, generator)
        total, zero = total + float(error), zero + float(more["zero_loss"])
    return {"loss": total / len(numbers), "zero_loss": zero / len(numbers)}
