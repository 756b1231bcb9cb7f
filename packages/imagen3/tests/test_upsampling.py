"""Pictures of twice the size: sizes, tiles, the level of the noise, and baselines."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from onepaper.errors import UsageError

from imagen3.data.pictures import load_pictures
from imagen3.models.networks import build_denoiser
from imagen3.presets import PRESETS
from imagen3.pretrained.systems import System
from imagen3.pretrained.upsamplers import Upsampler, open_upsampler
from imagen3.text.encoder import TextFeatures
from imagen3.upsampling import conditioned_input, consistency, enlarge, reduce_size, upsample


@pytest.fixture(scope="module")
def upsampler(system: System) -> Upsampler:
    torch.manual_seed(0)
    config = replace(PRESETS["sr-smoke"].config, steps=2, tile=16)
    denoiser = build_denoiser(config.denoiser)
    for parameter in denoiser.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return Upsampler(config, denoiser.requires_grad_(False).eval(), system)


def small_pictures(count: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_sizes_are_exact(scale: int, upsampler: Upsampler) -> None:
    small = small_pictures(1, 12, 20)
    large = upsample(upsampler, small, ["a dog"], scale=scale)
    assert large.shape == (1, 12 * scale, 20 * scale, 3)
    assert scale > 1 or np.array_equal(large, small)


def test_a_picture_does_not_depend_on_its_batch(upsampler: Upsampler) -> None:
    small, prompts = small_pictures(3, 8, 8), ["a dog", "bread", "a red apple"]
    whole = upsample(upsampler, small, prompts, seed=1)
    alone = upsample(upsampler, small[2:], prompts[2:], seed=1, first=2)
    assert np.abs(whole[2].astype(int) - alone[0]).max() <= 1
    parts = upsample(upsampler, small, prompts, seed=1, batch_size=2)
    assert np.abs(whole.astype(int) - parts).max() <= 1


def test_without_a_prediction_it_is_the_interpolation(system: System) -> None:
    """The networks' output is 0 at first; as noise and data have the deviation 1, what is left is t (z - noise) = 0."""
    config = replace(PRESETS["sr-smoke"].config, steps=1)
    small = small_pictures(2, 8, 8)
    large = upsample(Upsampler(config, build_denoiser(config.denoiser).eval(), system), small, ["a dog"] * 2)
    assert np.array_equal(large, enlarge(small, 2, "lanczos"))


def test_what_ships_surpasses_interpolation() -> None:
    """On emoji of the test part, by a decibel and whatever the prompt."""
    shipped = open_upsampler()
    pictures = load_pictures(shipped.config.data)
    large = pictures.pixels[pictures.indices("test")[:8]]
    small = reduce_size(large, 2)
    found = upsample(shipped, small, ["a picture"] * 8)
    assert consistency(found, large).mean() > consistency(enlarge(small, 2, "lanczos"), large).mean() + 1


def test_level_of_the_noise() -> None:
    """At level 0 the small picture is as it is, at 1 it is noise; the network is given the level."""
    text = TextFeatures(torch.zeros(2, 1, 3), torch.ones(2, 1, dtype=torch.bool), torch.ones(2, 3))
    low, noise = torch.randn(2, 2, 4, 8, 8)
    given, mixed = conditioned_input(text, torch.tensor([0.0, 1.0]), low, noise)
    torch.testing.assert_close(mixed[0], low[0])
    torch.testing.assert_close(mixed[1], noise[1])
    assert given.pooled.shape == (2, 3 + 256)
    assert torch.equal(given.pooled[:, :3], text.pooled)
    assert (given.pooled[0] - given.pooled[1]).abs().max() > 0.5


def test_consistency_and_baselines() -> None:
    """A picture whose pixels are repeated agrees without error; a step of one everywhere has 48.13 dB."""
    small = small_pictures(2, 8, 8) // 2
    repeated = small.repeat(2, axis=1).repeat(2, axis=2)
    assert np.array_equal(reduce_size(repeated, 2), small)
    assert (consistency(repeated, small) > 100).all()
    np.testing.assert_allclose(consistency(repeated + 1, small), 20 * np.log10(255))
    smooth = np.tile(np.linspace(20, 220, 16).astype(np.uint8)[None, :, None, None], (1, 1, 16, 3))
    for method in ("bicubic", "lanczos"):
        large = enlarge(smooth, 2, method)
        assert large.shape == (1, 32, 32, 3)
        assert float(consistency(large, smooth)[0]) > 40


def test_wrong_values(upsampler: Upsampler) -> None:
    small = small_pictures(1, 8, 8)
    for pictures, prompts, scale, expected in (
        (small, ["a dog"], 3, "scale is 3, expected 2, 4 or 8"),
        (small, ["a dog"] * 2, 2, "2 prompts for 1 pictures"),
        (small_pictures(1, 7, 8), ["a dog"], 2, "pictures have 7 x 8 pixels, expected multiples of 2"),
        (small, [" "], 2, "a prompt is empty"),
    ):
        with pytest.raises(UsageError, match=expected):
            upsample(upsampler, pictures, prompts, scale=scale)
