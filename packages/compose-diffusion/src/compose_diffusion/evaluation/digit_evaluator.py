"""An independent classifier that evaluates generated digits, trained on images that no generative model has seen.

It is a support vector machine on pixels, with neither data nor architecture in common with the denoiser and the guiding
classifier. Training takes a fraction of a second, so it is not stored.
"""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int
from onepaper.errors import UsageError
from torch import Tensor

from compose_diffusion.data.digits import IMAGE_SIZE, Digits, load_digits

# Kernel exp(-KERNEL_WIDTH |x - y|^2) on pixels scaled to [0, 1].
PENALTY = 10.0
KERNEL_WIDTH = 0.1
# Feature space of the Frechet distance: these principal components hold about 90% of the variance of real digits.
NUM_FEATURES = 20


class Evaluator:
    """Classifies digits, and measures the distance of a set of images to real ones.

    Args:
        reference: real images for training.
        held_out: other real images, on which `accuracy` is measured.

    Attributes:
        accuracy: fraction of `held_out` that is classified correctly.
    """

    def __init__(self, reference: Digits, held_out: Digits) -> None:
        from sklearn.decomposition import PCA
        from sklearn.svm import SVC

        pixels = _pixels(reference.images)
        # The type annotation of scikit-learn does not include numbers for gamma.
        classifier = SVC(C=PENALTY, gamma=KERNEL_WIDTH)  # pyright: ignore[reportArgumentType]
        self._classifier = classifier.fit(pixels, reference.labels.numpy())
        self._components = PCA(NUM_FEATURES, svd_solver="full").fit(pixels)
        self._reference_moments = _moments(self.features(reference.images))
        self.accuracy = float((self.predict(held_out.images) == held_out.labels).double().mean())

    def predict(self, images: Float[Tensor, "count 1 height width"]) -> Int[Tensor, " count"]:
        """The predicted digit of each image."""
        return torch.from_numpy(self._classifier.predict(_pixels(images)).astype(np.int64))

    def correct(
        self, images: Float[Tensor, "count 1 height width"], labels: Int[Tensor, " count"]
    ) -> Float[Tensor, " count"]:
        """1 where the predicted digit equals the label, else 0."""
        return (self.predict(images) == labels.cpu()).double()

    def features(self, images: Float[Tensor, "count 1 height width"]) -> Float[Tensor, "count features"]:
        """Coordinates of the images, pixels in [0, 1], along the reference's principal components."""
        return torch.from_numpy(self._components.transform(_pixels(images)))

    def frechet_distance(self, images: Float[Tensor, "count 1 height width"]) -> float:
        r"""$|\mu - \mu_r|^2 + \mathrm{tr}(\Sigma + \Sigma_r - 2 (\Sigma \Sigma_r)^{1/2})$ to the reference images.

        Means and covariances are those of `features`. The estimate is biased upwards for few images, so compare
        equal numbers.

        Raises:
            UsageError: fewer images than features; the covariance would be singular.
        """
        if len(images) <= NUM_FEATURES:
            raise UsageError(
                f"the Frechet distance was asked for {len(images)} images, expected more than the {NUM_FEATURES} "
                "features; make more samples"
            )
        mean, covariance = _moments(self.features(images))
        reference_mean, reference_covariance = self._reference_moments
        # The product of two covariances has real eigenvalues >= 0; rounding may leave tiny ones of either sign.
        eigenvalues = torch.linalg.eigvals(covariance @ reference_covariance).real.clamp(min=0.0)
        spread = covariance.trace() + reference_covariance.trace() - 2 * eigenvalues.sqrt().sum()
        return float((mean - reference_mean).square().sum() + spread)


@lru_cache(maxsize=1)
def default_evaluator() -> Evaluator:
    """Trained on the split "evaluator" and measured on the split "model"."""
    return Evaluator(load_digits("evaluator"), load_digits("model"))


def nearest_distances(
    images: Float[Tensor, "count 1 height width"], others: Float[Tensor, "others 1 height width"]
) -> Float[Tensor, " count"]:
    """Root mean square pixel difference of each image to the nearest of `others`: 0 for a copy."""
    distances = torch.cdist(images.flatten(1).double(), others.flatten(1).double()).min(dim=1).values
    return distances / images[0].numel() ** 0.5


def _pixels(images: Tensor) -> np.ndarray:
    if images.ndim != 4 or images.shape[1:] != (1, IMAGE_SIZE, IMAGE_SIZE):
        raise UsageError(
            f"the evaluator was given images of shape {tuple(images.shape)}, expected [count, 1, {IMAGE_SIZE}, "
            f"{IMAGE_SIZE}]; it knows scikit-learn's digits only"
        )
    return ((images.detach().cpu().double().flatten(1) + 1) / 2).clamp(0.0, 1.0).numpy()


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    return features.mean(dim=0), torch.cov(features.T)
