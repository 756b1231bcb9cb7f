"""Features of pictures that need no downloaded network: colours of a grid, and latents of the autoencoder."""

import numpy as np
import torch
from einops import rearrange, reduce
from jaxtyping import Float, UInt8

from imagen3.models.networks import AnyAutoencoder
from imagen3.training.autoencoder import encode_all

GRID = 4


def colour_features(pictures: UInt8[np.ndarray, "count height width 3"]) -> Float[np.ndarray, "count 96"]:
    """Mean and standard deviation of each colour in each cell of a grid of 4 by 4."""
    cells = rearrange(pictures / 255.0, "n (g h) (k w) c -> n (g k c) (h w)", g=GRID, k=GRID)
    return np.concatenate([cells.mean(2), cells.std(2)], axis=1)


def latent_features(
    autoencoder: AnyAutoencoder, pictures: UInt8[np.ndarray, "count height width 3"]
) -> Float[np.ndarray, "count dim"]:
    """Mean and standard deviation of each normalised latent channel in each cell of a grid of 4 by 4."""
    latents = autoencoder.normalize(encode_all(autoencoder, pictures).mean.to(autoencoder.scale.device)).cpu()
    cells = rearrange(latents, "n c (g h) (k w) -> n (g k c) (h w)", g=GRID, k=GRID)
    spread = cells.std(2, correction=0)
    return torch.cat([reduce(cells, "n d p -> n d", "mean"), spread], dim=1).double().numpy()
