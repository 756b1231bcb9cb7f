"""A discriminator of patches (Isola et al., 2017) and its training beside an autoencoder (Esser et al., 2021)."""

import itertools
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

GROUP = 8


class PatchDiscriminator(nn.Module):
    """A score of each patch of a picture, high for real ones; normalised by groups, so that pictures are independent.

    Args:
        width: channels of the first layer, a multiple of 8; twice as many in each further one, at most eight times.
        layers: of stride 2.
    """

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        found: list[nn.Module] = [nn.Conv2d(3, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        widths = [width * min(2**level, 8) for level in range(layers)]
        for before, own in itertools.pairwise(widths):
            found += [
                nn.Conv2d(before, own, 4, stride=2, padding=1),
                nn.GroupNorm(own // GROUP, own),
                nn.LeakyReLU(0.2),
            ]
        self.layers = nn.Sequential(*found, nn.Conv2d(widths[-1], 1, 3, padding=1))

    def forward(self, pictures: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 rows columns"]:
        """The scores of all patches."""
        return self.layers(pictures)


class Adversarial(nn.Module):
    """An autoencoder and its discriminator, which are trained in one step.

    Args:
        autoencoder: whose decoded pictures are scored.
        discriminator: of patches.
    """

    def __init__(self, autoencoder: Any, discriminator: PatchDiscriminator) -> None:
        super().__init__()
        self.autoencoder, self.discriminator = autoencoder, discriminator

    def deceived(self, decoded: Float[Tensor, "b 3 h w"]) -> Float[Tensor, " b"]:
        """The negative mean score of decoded pictures, without a gradient of the discriminator's weights."""
        frozen = {name: value.detach() for name, value in self.discriminator.named_parameters()}
        return -torch.func.functional_call(self.discriminator, frozen, (decoded,)).flatten(1).mean(1)

    def hinge(self, pictures: Float[Tensor, "b 3 h w"], decoded: Float[Tensor, "b 3 h w"]) -> Float[Tensor, " b"]:
        r"""$\frac12 [\max(0, 1 - D(x)) + \max(0, 1 + D(\hat x))]$, without a gradient of the autoencoder."""
        real, made = self.discriminator(pictures), self.discriminator(decoded.detach())
        return ((1 - real).relu() + (1 + made).relu()).flatten(1).mean(1) / 2

    @property
    def last_weight(self) -> Tensor:
        """The weight of the decoder's last convolution."""
        return [own for own in self.autoencoder.decoder.modules() if isinstance(own, nn.Conv2d)][-1].weight
