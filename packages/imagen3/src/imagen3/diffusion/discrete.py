r"""Networks that predict the noise of a diffusion in 1000 steps (Ho et al., 2020), such as PixArt-alpha.

With $\beta$ linear from 1e-4 to 2e-2 and $\bar\alpha_\tau = \prod_{s \le \tau} (1 - \beta_s)$, step $\tau$ has the
ratio of noise and signal $\sqrt{(1 - \bar\alpha_\tau) / \bar\alpha_\tau} = t / (1 - t)$ of rectified flow.
"""

import torch
from jaxtyping import Float
from onepaper.fingerprint.marks import unmeasured
from torch import Tensor

from imagen3.text.encoder import Denoiser, TextFeatures

STEPS, FIRST_BETA, LAST_BETA = 1000, 1e-4, 2e-2


def discrete_levels() -> Float[Tensor, " steps"]:
    """The level t of each step, rising, in double precision; the last one is below 1."""
    kept = torch.cumprod(1 - torch.linspace(FIRST_BETA, LAST_BETA, STEPS, dtype=torch.float64), 0)
    ratio = ((1 - kept) / kept).sqrt()
    return ratio / (1 + ratio)


def step_of(t: Float[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """The step with a level, by linear interpolation, from 0 to 999."""
    levels = discrete_levels().to(t.device)
    after = torch.searchsorted(levels, t.double()).clamp(1, STEPS - 1)
    share = (t - levels[after - 1]) / (levels[after] - levels[after - 1])
    return (after - 1 + share.clamp(0, 1)).to(t.dtype)


@unmeasured
def noise_velocity(denoiser: Denoiser) -> Denoiser:
    r"""The velocity $(\hat\epsilon - z) / (1 - t)$ of a network that predicts the noise.

    The network is given $z / \sqrt{(1 - t)^2 + t^2}$, which preserves the variance, and the step over 1000. Of its
    outputs, those behind the channels of z (a learned variance) are left out. Levels above that of the last step are
    taken as that one.
    """
    largest = float(discrete_levels()[-1])

    def velocity(z: Tensor, t: Tensor, text: TextFeatures) -> Tensor:
        level = t.clamp(max=largest)[:, None, None, None]
        scaled = z * ((1 - level).square() + level.square()).rsqrt()
        noise = denoiser(scaled, step_of(t) / STEPS, text)[:, : z.shape[1]]
        return (noise - z) / (1 - level)

    return velocity
