"""A learned watermark: one small network writes signs of a key into a picture, another one reads them.

After HiDDeN (Zhu et al., 2018), with a fixed peak signal-to-noise ratio instead of a loss for it, and with a reader of
the whole frame. The networks know no key: a key draws the signs, so that the p-value is exactly binomial over keys for
any picture, and whatever placement is searched without the key. Beside the classical mark (`watermark`), it is for
small pictures, and for what a network does to pictures; it carries no payload.
"""

import hashlib
from functools import cache, lru_cache
from itertools import product

import numpy as np
import torch
from jaxtyping import Float, Int
from onepaper.config import check_between
from onepaper.data import embedded
from onepaper.errors import UsageError
from PIL import Image
from scipy.stats import binom
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample, interpolate

from imagen3.models.networks import fill, read_tensors
from imagen3.responsibility.registration import Placement
from imagen3.responsibility.watermark import HALVINGS, PSNR, Detection, Picture, check_size, peak_ratio
from imagen3.sampling import from_bytes

SIDE, SIGNS, GRID = 64, 64, 16

# What is searched: shares of the sides with places in steps of half the room, angles, and mirroring.
SCALES, ANGLES = (1.0, 0.9, 0.8, 0.7), (-2.0, 0.0, 2.0)
STRONGEST = 8.0
"""an embedding is at most so many times as strong as the network was trained with"""


class LearnedMark(nn.Module):
    """The writer and the reader, of pictures of 64 x 64 pixels in [-1, 1]."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.pattern = nn.Linear(SIGNS, 4 * GRID * GRID, bias=False)
        self.seen = nn.Sequential(nn.Conv2d(3, 16, 4, stride=2, padding=1), nn.GELU())
        self.mixed = nn.Sequential(nn.Conv2d(16 + 4, 16, 3, padding=1), nn.GELU(), nn.Conv2d(16, 3, 3, padding=1))
        self.reader = nn.Sequential(
            *(nn.Conv2d(3, width, 5, stride=2, padding=2), nn.GELU()),
            *(nn.Conv2d(width, 32, 3, stride=2, padding=1), nn.GELU()),
            *(nn.Conv2d(32, 32, 3, padding=1), nn.GELU(), nn.Conv2d(32, 8, 1), nn.Flatten()),
            nn.Linear(8 * GRID * GRID, SIGNS),
        )

    def residual(
        self, pictures: Float[Tensor, "batch 3 64 64"], signs: Float[Tensor, "batch signs"]
    ) -> Float[Tensor, "batch 3 64 64"]:
        """What is added to pictures, with a root mean square of 1 each."""
        pattern = self.pattern(signs).view(-1, 4, GRID, GRID)
        large = interpolate(pattern, scale_factor=2, mode="bilinear")
        drawn = large[:, :3] + self.mixed(torch.cat([self.seen(pictures), large], dim=1))
        drawn = interpolate(drawn, scale_factor=2, mode="bilinear")
        return drawn / drawn.square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min=1e-6)

    def read(self, pictures: Float[Tensor, "batch 3 64 64"]) -> Float[Tensor, "batch signs"]:
        """Positive where a sign is read as 1, and the larger the surer."""
        return self.reader(pictures)


def amplitude(psnr: float) -> float:
    r"""The root mean square $2 \cdot 10^{-\mathrm{PSNR}/20}$ of a change of values in [-1, 1]."""
    return 2 * 10 ** (-psnr / 20)


@cache
def shipped_mark() -> LearnedMark:
    """The networks that ship with the package."""
    path = embedded("imagen3", "learned_mark.safetensors")
    with torch.device("meta"):
        model = LearnedMark()
    fill(model, read_tensors(path), path)
    return model.eval()


@lru_cache(maxsize=32)
def key_signs(key: bytes) -> Int[np.ndarray, " signs"]:
    """The signs of a key, from its SHA-256.

    Raises:
        UsageError: an empty key.
    """
    if not key:
        raise UsageError("the key of the watermark is empty, expected at least one byte")
    generator = np.random.default_rng(list(hashlib.sha256(b"learned watermark\0" + key).digest()))
    return generator.choice(np.array([-1, 1]), SIGNS)


def small(picture: Picture) -> Float[Tensor, "1 3 64 64"]:
    """A picture as the networks take it."""
    return from_bytes(np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BICUBIC))[None])


@torch.inference_mode()
def embed_learned(picture: Picture, key: bytes, *, psnr: float = PSNR, model: LearnedMark | None = None) -> Picture:
    """A picture with the signs of a key, as strong as the peak signal-to-noise ratio allows.

    Args:
        picture: at least 64 pixels a side.
        key: secret; the same one detects.
        psnr: in decibels; a lower one marks more strongly.
        model: of your own; the one that ships if None.

    Raises:
        UsageError: a small picture, an empty key, or a ratio out of range.
    """
    check_between("psnr", psnr, 20.0, 60.0)
    check_size(picture)
    model = shipped_mark() if model is None else model
    signs = torch.from_numpy(key_signs(key)).float()[None]
    drawn = model.residual(small(picture), signs)
    change = interpolate(drawn, size=picture.shape[:2], mode="bicubic")[0].permute(1, 2, 0).numpy() * 127.5
    low, high, best = 0.0, STRONGEST * amplitude(psnr), picture
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        tried = (picture + middle * change).round().clip(0, 255).astype(np.uint8)
        if peak_ratio(picture, tried) >= psnr:
            low, best = middle, tried
        else:
            high = middle
    return best


@cache
def placements() -> tuple[Placement, ...]:
    """Where a picture may lie in the frame of the original; rows and columns are shares of the frame times 256."""
    found = []
    for mirrored, angle, scale in product((False, True), ANGLES, SCALES):
        room = round((1 - scale) * 256)
        places = (0, room // 2, room) if room else (0,)
        found += [Placement(mirrored, angle, scale, row, column) for row in places for column in places]
    return tuple(found)


def placed(pictures: Float[Tensor, "batch 3 64 64"], chosen: tuple[Placement, ...]) -> Float[Tensor, "batch 3 64 64"]:
    """Each picture at its place in the frame, on the grey 0."""
    matrices = []
    for mirrored, angle, scale, row, column in chosen:
        # From coordinates of the frame in [-1, 1] to those of the picture.
        centre = np.array([2 * column / 256 + scale - 1, 2 * row / 256 + scale - 1])
        turn = np.deg2rad(angle)
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        linear = np.diag([-1.0 if mirrored else 1.0, 1.0]) @ rotation / scale
        matrices.append(np.column_stack([linear, -linear @ centre]))
    grid = affine_grid(torch.from_numpy(np.stack(matrices)).float(), [len(chosen), 3, SIDE, SIDE], align_corners=False)
    return grid_sample(pictures.expand(len(chosen), -1, -1, -1), grid, align_corners=False)


@torch.inference_mode()
def detect_learned(picture: Picture, key: bytes, *, model: LearnedMark | None = None) -> tuple[Detection, Placement]:
    """Whether a picture has the signs of a key.

    Of all placements, that with the surest reading decides, which depends on no key: the probability of as many
    matches over keys stays $p = \\sum_{i \\ge k} \\binom{n}{i} 2^{-n}$.

    Raises:
        UsageError: a small picture or an empty key.
    """
    check_size(picture)
    model = shipped_mark() if model is None else model
    chosen = placements()
    values = model.read(placed(small(picture), chosen))
    best = int(values.abs().mean(1).argmax())
    read = np.sign(values[best].numpy()).astype(int)
    tested = int((read != 0).sum())
    matches = int((read == key_signs(key)).sum())
    return Detection(matches, tested, float(binom.sf(matches - 1, tested, 0.5)), None), chosen[best]
