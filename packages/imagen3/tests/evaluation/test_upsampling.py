"""The comparison of upsamplers: measures of interpolation by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from imagen3.data.pictures import Pictures
from imagen3.evaluation.upsampling import compare_methods
from imagen3.models.networks import build_denoiser
from imagen3.presets import PRESETS
from imagen3.pretrained.systems import System
from imagen3.pretrained.upsamplers import Upsampler
from imagen3.upsampling import consistency, enlarge, reduce_size


def test_measures(system: System, pictures: Pictures) -> None:
    torch.manual_seed(0)
    config = replace(PRESETS["sr-smoke"].config, steps=2)
    upsampler = Upsampler(config, build_denoiser(config.denoiser).requires_grad_(False), system)
    large = pictures.pixels[:6]
    found = compare_methods(upsampler, large, ["a dog"] * 6)
    assert list(found) == ["upsampler", "bicubic", "lanczos"]

    def psnr(again: np.ndarray) -> float:
        return (10 * np.log10(255**2 / np.square(again.astype(float) - large).mean((1, 2, 3)))).mean()

    for method in ("bicubic", "lanczos"):
        again = enlarge(reduce_size(large, 2), 2, method)
        assert found[method][0] == pytest.approx(psnr(again))
        assert found[method][1] == pytest.approx(consistency(again, reduce_size(large, 2)).mean())
    assert all(own[2] > 0 for own in found.values())
