"""Training of the baselines: other sequences of the same pictures, by the same machinery."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from onepaper.data import Prefetch, map_arrays
from onepaper.errors import OnePaperError
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.steps import Loss, TorchTask
from onepaper.training import Hook, fit
from torch import nn

from dct_transformer.config import BaselineConfig
from dct_transformer.data.images import Images, open_images, resize
from dct_transformer.data.token_sequences import JpegTokens, PixelTokens, Tokenizer, pad, picture_batches
from dct_transformer.models.code_autoencoder import CodeAutoencoder
from dct_transformer.models.token_model import TokenModel
from dct_transformer.representation.dct_image import psnr

AUTOENCODER_FOLDER = "autoencoder"
BATCH = 16


class Baseline(NamedTuple):
    """A trained baseline."""

    config: BaselineConfig
    tokenizer: Tokenizer
    model: TokenModel


def train_baseline(
    config: BaselineConfig,
    run: Run | None = None,
    *,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    images: Images | None = None,
    hooks: Sequence[Hook[Any]] = (),
) -> Baseline:
    """Train a baseline, resuming from the newest checkpoints of `run` if there are some.

    Args:
        config: tokens, data, network and training.
        run: where logs and checkpoints go, those of an autoencoder in a folder of it; None keeps nothing.
        seed: of the weights, the order and changes of the images, and the dropout.
        accelerator: device, precision and processes; the best device by default.
        images: of the training; those of the configuration by default.
        hooks: called as `hook(step, state, row)` after each log row, with the row's numbers.

    Raises:
        UsageError: no images, or images that cannot be read.
        OnePaperError: the time of `config.loop` ended first.
    """
    accelerator = accelerator or Accelerator()
    images = images or open_images(config.data, config.height, config.width)
    pictures = picture_batches(
        images.part(held_out=False),
        config.data,
        (config.height, config.width),
        config.batch_size,
        seed=seed,
        rank=accelerator.rank,
        world=accelerator.world,
    )

    def train(build: Callable[[], Any], loss: Loss, batches: Callable[[int], Any], part: Run | None) -> Any:
        task = TorchTask(build, loss, config.optimizer, total_steps=config.loop.steps, accelerator=accelerator)
        with Prefetch(batches) as prefetched:
            fitted = fit(task, prefetched, config.loop, part, seed=seed, hooks=hooks, processes=accelerator)
        if not fitted.finished:
            raise OnePaperError(
                f"the time ended at step {fitted.step} of {config.loop.steps}; the same command continues, or "
                "raise --loop.max-minutes"
            )
        model = build().to(accelerator.device)
        with task.evaluating(fitted.state) as trained:
            model.load_state_dict(trained.state_dict())
        return model.eval()

    tokenizer: Tokenizer
    if config.tokens == "codes":
        part = run and Run(run.folder / AUTOENCODER_FOLDER, run.record)
        tokenizer = train(
            lambda: CodeAutoencoder(config.height, config.width, config.levels, config.dim),
            _reconstruction,
            lambda step: {"pictures": np.stack(pictures(step))},
            part,
        )
    else:
        kind = PixelTokens if config.tokens == "pixels" else JpegTokens
        tokenizer = kind(config.height, config.width, config.codec)
    model = train(
        lambda: TokenModel(tokenizer.vocabulary, config.dim, config.heads, config.layers, config.dropout),
        _likelihood,
        lambda step: pad(tokenizer.encode(picture) for picture in pictures(step)),
        run,
    )
    return Baseline(config, tokenizer, model)


def _likelihood(model: nn.Module, batch: Any, generator: torch.Generator) -> tuple[Any, Any]:
    """Summed nats of the tokens of a batch, and the number of tokens."""
    return model(batch.tokens, batch.counted).sum(), batch.counted.sum()


def _reconstruction(model: nn.Module, batch: Any, generator: torch.Generator) -> tuple[Any, Any]:
    """Summed squared errors of the pictures of a batch, and their number."""
    return model(batch["pictures"]).sum(), torch.tensor(len(batch["pictures"]))


class BaselineScores(NamedTuple):
    """Of held-out pictures."""

    bits: Float[np.ndarray, "pictures"]
    """of the tokens of each picture. Those of pixels and of JPEG bytes are of the same coded pictures as lists of
    triples of the same codec; those of codes are of other pictures, with another error"""
    lengths: Float[np.ndarray, "pictures"]
    """tokens"""
    psnr: float
    """of the pictures that the tokens keep, in decibels"""

    def summary(self) -> dict[str, float]:
        """Means over pictures."""
        return {
            "bits_per_image": float(self.bits.mean()),
            "bits_per_token": float(self.bits.sum() / self.lengths.sum()),
            "tokens": float(self.lengths.mean()),
            "psnr": self.psnr,
        }


@torch.inference_mode()
def score_baseline(baseline: Baseline, images: Images) -> BaselineScores:
    """The exact bits of pictures without random changes, and what their tokens keep of them."""
    config, tokenizer, model = baseline
    device = model.embed.weight.device
    pictures = [resize(images[index], (config.height, config.width)) for index in range(len(images))]
    sequences = [tokenizer.encode(picture) for picture in pictures]
    bits = []
    for begin in range(0, len(sequences), BATCH):
        batch = map_arrays(lambda array: torch.as_tensor(array).to(device), pad(sequences[begin : begin + BATCH]))
        bits += (model(*batch).double().sum(1) / math.log(2)).tolist()
    kept = [tokenizer.decode(tokens) for tokens in sequences]
    quality = [psnr(own, picture) for own, picture in zip(kept, pictures, strict=True) if own is not None]
    return BaselineScores(np.array(bits), np.array([float(len(own)) for own in sequences]), float(np.mean(quality)))


def draw_baseline(baseline: Baseline, count: int, *, seed: int = 0) -> list[UInt8[np.ndarray, "height width 3"] | None]:
    """Pictures drawn from a baseline; None where the tokens are no picture."""
    _, tokenizer, model = baseline
    sequences = model.sample(count, tokenizer.length, tokenizer.stop, np.random.default_rng(seed))
    return [tokenizer.decode(tokens) for tokens in sequences]
