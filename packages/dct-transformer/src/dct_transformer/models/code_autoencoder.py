"""A convolutional autoencoder with quantised features, the tokenizer of a baseline."""

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

STRIDE = 4


class CodeAutoencoder(nn.Module):
    r"""Pictures to a grid of codes, one for 4 x 4 pixels, and back.

    Features are quantised by rounding (finite scalar quantisation, Mentzer et al., 2023), which needs no codebook to
    learn: $\hat z_i = \mathrm{round}(s_i(z_i))$, where $s_i$ squashes to the levels of feature i. Gradients pass the
    rounding unchanged.

    Args:
        height: of the pictures, a multiple of 4.
        width: of the pictures, a multiple of 4.
        levels: of each feature.
        dim: channels of the convolutions.
    """

    def __init__(self, height: int, width: int, levels: tuple[int, ...], dim: int) -> None:
        super().__init__()
        self.levels, self.grid = levels, (height // STRIDE, width // STRIDE)
        self.vocabulary, self.length = int(np.prod(levels)), self.grid[0] * self.grid[1]
        self.stop: int | None = None
        self.encoder = nn.Sequential(
            nn.Conv2d(3, dim, 4, 2, 1),
            nn.GELU(),
            nn.Conv2d(dim, dim, 4, 2, 1),
            nn.GELU(),
            nn.Conv2d(dim, dim, 3, 1, 1),
            nn.GELU(),
            nn.Conv2d(dim, len(levels), 1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(len(levels), dim, 3, 1, 1),
            nn.GELU(),
            nn.ConvTranspose2d(dim, dim, 4, 2, 1),
            nn.GELU(),
            nn.ConvTranspose2d(dim, dim, 4, 2, 1),
            nn.GELU(),
            nn.Conv2d(dim, 3, 3, 1, 1),
        )
        self.register_buffer("sizes", torch.tensor(levels, dtype=torch.float32)[:, None, None], persistent=False)

    sizes: Tensor

    def indices(self, pictures: UInt8[Tensor, "batch height width 3"]) -> Float[Tensor, "batch features rows columns"]:
        """The level of each feature, whole numbers from 0, through which gradients pass."""
        squashed = self.encoder(_scaled(pictures)).sigmoid() * (self.sizes - 1)
        return squashed + (squashed.round() - squashed).detach()

    def pixels(self, indices: Float[Tensor, "batch features rows columns"]) -> Float[Tensor, "batch 3 height width"]:
        """Pixels around 0 of levels."""
        return self.decoder(2 * indices / (self.sizes - 1) - 1)

    def forward(self, pictures: UInt8[Tensor, "batch height width 3"]) -> Float[Tensor, " batch"]:
        """Mean squared errors of the reconstructions, of pixels from -1 to 1."""
        return (self.pixels(self.indices(pictures)) - _scaled(pictures)).square().mean((1, 2, 3))

    @torch.inference_mode()
    def encode(self, picture: UInt8[np.ndarray, "height width 3"]) -> Int[np.ndarray, "length"]:
        """The codes of a picture, row by row."""
        batch = torch.from_numpy(np.ascontiguousarray(picture))[None].to(self.sizes.device)
        levels = rearrange(self.indices(batch)[0].cpu().numpy().astype(np.int64), "f r c -> f (r c)")
        return np.asarray(np.ravel_multi_index(tuple(levels), self.levels))

    @torch.inference_mode()
    def decode(self, tokens: Int[np.ndarray, "length"]) -> UInt8[np.ndarray, "height width 3"]:
        """The picture of codes."""
        levels = np.stack(np.unravel_index(tokens, self.levels)).reshape(1, -1, *self.grid)
        pixels = self.pixels(torch.from_numpy(levels).float().to(self.sizes.device))[0].cpu().numpy()
        return rearrange(np.clip(np.rint(127.5 * pixels + 127.5), 0, 255).astype(np.uint8), "c h w -> h w c")


def _scaled(pictures: UInt8[Tensor, "batch height width 3"]) -> Float[Tensor, "batch 3 height width"]:
    return rearrange(pictures, "b h w c -> b c h w").float() / 127.5 - 1
