"""An upsampler beside interpolation, on pictures that are reduced and enlarged again."""

from collections.abc import Sequence

from imagen3.evaluation.distances import frechet
from imagen3.evaluation.features import latent_features
from imagen3.pretrained.upsamplers import Upsampler
from imagen3.upsampling import METHODS, Pictures, consistency, enlarge, reduce_size, upsample

MEASURES = ("PSNR", "PSNR, reduced again", "Frechet distance of latents")


def compare_methods(
    upsampler: Upsampler, large: Pictures, prompts: Sequence[str], *, scale: int = 2, seed: int = 0
) -> dict[str, tuple[float, float, float]]:
    """What each method makes of the reduced pictures, by `MEASURES`, the first two in decibels.

    Args:
        upsampler: networks.
        large: pictures of one size, whose sides are multiples of `scale` and of what the networks take.
        prompts: what they show, one each.
        scale: 2, 4 or 8.
        seed: of the noise.

    Raises:
        UsageError: as `upsample`.
    """
    autoencoder, small = upsampler.system.autoencoder, reduce_size(large, scale)
    enlarged = {
        "upsampler": upsample(upsampler, small, prompts, scale=scale, seed=seed),
        **{method: enlarge(small, scale, method) for method in METHODS},
    }
    features = latent_features(autoencoder, large)
    return {
        name: (
            float(consistency(own, large).mean()),
            float(consistency(own, small).mean()),
            frechet(features, latent_features(autoencoder, own)).distance,
        )
        for name, own in enlarged.items()
    }
