r"""What a network predicts, and the velocity of rectified flow that follows from it.

Every sampler takes the velocity $u = \epsilon - z_0$ at $z_t = (1 - t) z_0 + t \epsilon$. A network F gives it by

$$u = c_{skip}\, z_t + c_{out}\, F(c_{in}\, z_t, t).$$

A diffusion that preserves the variance has the same ratio of signal and noise where $\sigma / \alpha = t / (1 - t)$,
and one that adds noise of deviation $\sigma$ where $\sigma = t / (1 - t)$; both are $z_t$ but for a factor.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from onepaper.errors import UsageError
from torch import Tensor

from imagen3.config import ObjectiveConfig
from imagen3.diffusion.discrete import noise_velocity
from imagen3.text.encoder import Denoiser, TextFeatures


class Preconditioning(NamedTuple):
    """Factors of a network's input, of $z_t$ and of its output in the velocity."""

    input: Float[Tensor, "*batch"]
    skip: Float[Tensor, "*batch"]
    output: Float[Tensor, "*batch"]


def preconditioning(t: Float[Tensor, "*batch"], config: ObjectiveConfig) -> Preconditioning:
    r"""The factors of an objective at noise levels from 0 to 1; all are finite, and no output factor is 0.

    * rf: F is the velocity (Esser et al., 2024, section 2).
    * v: $F = \alpha \epsilon - \sigma z_0$ of the diffusion that preserves the variance, $\alpha^2 + \sigma^2 = 1$
      (Salimans and Ho, 2022, appendix D). With $n^2 = (1 - t)^2 + t^2$, $u = (2 t - 1) z_t / n^2 + F(z_t / n, t) / n$.
    * edm: the picture $\hat z_0$ is a sum of $x = z_0 + \sigma \epsilon$ and F with the factors of Karras et al. (2022,
      table 1) for data of deviation s, `sigma_data`. With $q^2 = t^2 + s^2 (1 - t)^2$,
      $u = (t - s^2 (1 - t)) z_t / q^2 - s F(z_t / q, t) / q$. Their density of noise levels is logit-normal.
    """
    if config.prediction == "epsilon":
        raise UsageError("networks that predict the noise in 1000 steps are only sampled; train another objective")
    if config.prediction == "rf":
        return Preconditioning(torch.ones_like(t), torch.zeros_like(t), torch.ones_like(t))
    if config.prediction == "v":
        square = (1 - t).square() + t.square()
        return Preconditioning(square.rsqrt(), (2 * t - 1) / square, square.rsqrt())
    deviation = config.sigma_data
    square = t.square() + deviation**2 * (1 - t).square()
    return Preconditioning(square.rsqrt(), (t - deviation**2 * (1 - t)) / square, -deviation * square.rsqrt())


def velocity_model(denoiser: Denoiser, config: ObjectiveConfig) -> Denoiser:
    """A network of any objective as one that predicts the velocity."""
    if config.prediction == "rf":
        return denoiser
    if config.prediction == "epsilon":
        return noise_velocity(denoiser)

    def velocity(z: Tensor, t: Tensor, text: TextFeatures) -> Tensor:
        factors = preconditioning(t[:, None, None, None], config)
        return factors.skip * z + factors.output * denoiser(factors.input * z, t, text)

    return velocity
