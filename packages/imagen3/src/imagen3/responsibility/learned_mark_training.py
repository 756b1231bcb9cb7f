"""Training of the learned watermark under what happens to pictures in use."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, UInt8
from onepaper.data import BatchSampler
from onepaper.optimizer import OptimizerOptions
from onepaper.torch.steps import TorchTask
from onepaper.training import LoopOptions, fit
from torch import Tensor
from torch.nn.functional import softplus

from imagen3.models.networks import AnyAutoencoder
from imagen3.responsibility.attacks import Picture, blurred, brightened, contrasted, noisy, resized, saved
from imagen3.responsibility.learned_mark import SIDE, SIGNS, LearnedMark, amplitude, placed
from imagen3.responsibility.registration import Placement
from imagen3.responsibility.watermark import PSNR
from imagen3.sampling import from_bytes, to_bytes

BATCH, STEPS = 32, 4000
OPTIMIZER = OptimizerOptions(
    lr=3e-3, betas=(0.9, 0.99), clip_norm=1.0, schedule="cosine", warmup_steps=20, final_fraction=0.05
)

# The mark is weakened from the first ratio to the one of its use over this share of the training.
FIRST_PSNR, WEAKENED = 26.0, 0.5


def as_jpeg(picture: Picture, generator: np.random.Generator, *, quality: float) -> Picture:
    """A picture as a JPEG file."""
    return saved(picture, generator, kind="JPEG", quality=round(quality))


# What happens to pictures in use, and the range of its strength.
USES: tuple[tuple[Callable[..., Picture], str, float, float], ...] = (
    (as_jpeg, "quality", 40, 95),
    (resized, "factor", 0.5, 1.5),
    (blurred, "radius", 0, 1),
    (noisy, "spread", 0, 0.03),
    (brightened, "factor", 0.75, 1.25),
    (contrasted, "factor", 0.75, 1.25),
)


def used(picture: Picture, generator: np.random.Generator) -> Picture:
    """A picture after one kind of use, drawn with its strength."""
    attack, name, low, high = USES[generator.integers(len(USES))]
    return attack(picture, generator, **{name: generator.uniform(low, high)})


def straight_through(
    pictures: Float[Tensor, "batch 3 64 64"], generator: np.random.Generator
) -> Float[Tensor, "batch 3 64 64"]:
    """Pictures after use; gradients are those of the pictures before."""
    after = np.stack([used(picture, generator) for picture in to_bytes(pictures.detach())])
    return pictures + (from_bytes(after) - pictures).detach()


def regenerated(pictures: Float[Tensor, "batch 3 64 64"], autoencoder: AnyAutoencoder) -> Float[Tensor, "b 3 64 64"]:
    """Pictures that an autoencoder encoded and decoded."""
    return autoencoder.decode(autoencoder.encode(pictures).mean)


def moved(pictures: Float[Tensor, "b 3 64 64"], generator: np.random.Generator) -> Float[Tensor, "b 3 64 64"]:
    """Pictures nearly at their place, as a search leaves them, of which some are only a part."""
    found = []
    for picture in pictures:
        near = Placement(
            False, generator.uniform(-1, 1), generator.uniform(0.96, 1.04), *generator.uniform(-4, 4, 2)
        )  # fmt: skip
        picture = placed(picture[None], (near,))
        if generator.random() < 0.3:
            top, left = generator.integers(0, SIDE // 4, 2)
            bottom, right = SIDE - generator.integers(0, SIDE // 4, 2)
            mask = torch.zeros(SIDE, SIDE)
            mask[top:bottom, left:right] = 1
            picture = picture * mask
        found.append(picture)
    return torch.cat(found)


def attacked(
    pictures: Float[Tensor, "batch 3 64 64"], autoencoder: AnyAutoencoder, generator: np.random.Generator
) -> Float[Tensor, "batch 3 64 64"]:
    """Another attack, or two, on each eighth of a batch; one eighth stays as it is."""
    move, use = partial(moved, generator=generator), partial(straight_through, generator=generator)
    through = partial(regenerated, autoencoder=autoencoder)
    kinds: list[tuple[Callable[[Tensor], Tensor], ...]] = [
        *((), (through,), (use,), (use,), (move,), (move,), (move, use), (move, through)),
    ]
    found = []
    for part, kind in zip(pictures.chunk(len(kinds)), kinds, strict=True):
        for attack in kind:
            part = attack(part)
        found.append(part)
    return torch.cat(found)


def train_mark(
    pixels: UInt8[np.ndarray, "count 64 64 3"],
    autoencoder: AnyAutoencoder,
    *,
    steps: int = STEPS,
    seed: int = 0,
) -> LearnedMark:
    r"""A watermark for pictures like these: minus $\log \sigma(s_i f_i)$ of signs $s$ and readings $f$ after attacks.

    Args:
        pixels: at least a batch of 32.
        autoencoder: through which an eighth of the pictures goes; its weights are not changed.
        steps: of 32 pictures.
        seed: of weights, signs, pictures and attacks.
    """
    frozen = autoencoder.requires_grad_(False).eval()
    sampler = BatchSampler(len(pixels), BATCH, seed=seed)

    def batch(step: int) -> dict[str, Tensor]:
        generator = np.random.default_rng([seed, step])
        signs = generator.choice(np.array([-1.0, 1.0], np.float32), (BATCH, SIGNS))
        pictures = pixels[sampler(step)]
        flip = generator.random(BATCH) < 0.5
        pictures = np.where(flip[:, None, None, None], pictures[:, :, ::-1], pictures)
        share = min(step / (WEAKENED * steps), 1.0)
        strength = amplitude(FIRST_PSNR + (PSNR - FIRST_PSNR) * share)
        return {"pictures": from_bytes(pictures), "signs": torch.from_numpy(signs),
                "strength": torch.tensor(strength), "step": torch.tensor(step)}  # fmt: skip

    def loss(model: LearnedMark, given: dict[str, Tensor], _generator: torch.Generator) -> tuple[Tensor, int, dict]:
        pictures, signs = given["pictures"], given["signs"]
        marked = (pictures + given["strength"] * model.residual(pictures, signs)).clamp(-1, 1)
        generator = np.random.default_rng([seed, int(given["step"]), 1])
        read = signs * model.read(attacked(marked, frozen, generator))
        right = (read > 0).float().mean(1)
        return softplus(-read).mean(1).sum(), len(read), {"right": right.sum()}

    fitted = fit(
        TorchTask(LearnedMark, loss, OPTIMIZER, total_steps=steps), batch, LoopOptions(steps), seed=seed,
        description="learned watermark",
    )  # fmt: skip
    return fitted.state.model.eval()
