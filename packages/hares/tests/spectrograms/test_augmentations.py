"""Augmentations beside naive references: powers mixed one by one, crops cut and resized by torch's `interpolate`."""

import pytest
import torch
from torch.nn import functional as F

from hares.spectrograms.augmentations import mix_as_powers, random_resize_crop


def test_mixing_is_of_powers() -> None:
    x = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    weights = torch.tensor([0.0, 0.3, 1.0])
    mixed = mix_as_powers(x, torch.tensor([1, 2, 0]), weights)
    torch.testing.assert_close(mixed[0], x[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(mixed[1], (0.7 * x[1].exp() + 0.3 * x[2].exp()).log())
    torch.testing.assert_close(mixed[2], x[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("seed", range(4))
def test_crops_are_resized_as_by_interpolate(seed: int) -> None:
    x = torch.randn(1, 30, 20, generator=torch.Generator().manual_seed(9)).cumsum(1).cumsum(2)
    found = random_resize_crop(x, (0.6, 1.5), 1.5, torch.Generator().manual_seed(seed))[0]
    generator = torch.Generator().manual_seed(seed)
    corners = []
    for size, largest in ((20, 20), (30, 45)):
        share, where = torch.rand(2, 1, generator=generator)
        length = min(max(int(size * (0.6 + 0.9 * share)), 1), largest)
        corners.append((int(where * (largest - length + 1)), length))
    (band, bands), (time, times) = corners
    canvas = torch.zeros(45, 20)
    canvas[7:37] = x[0]
    crop = canvas[time : time + times, band : band + bands]
    expected = F.interpolate(crop[None, None], size=(30, 20), mode="bicubic", align_corners=True)[0, 0]
    # At the edge of a crop, `interpolate` repeats its last row where ours sees the next one.
    inner = (slice(4, -4), slice(4, -4))
    torch.testing.assert_close(found[inner], expected[inner], atol=1e-3, rtol=1e-3)


def test_a_crop_of_the_whole_is_the_whole() -> None:
    x = torch.randn(2, 9, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(random_resize_crop(x, (1.0, 1.0), 1.0, torch.Generator()), x, atol=1e-5, rtol=1e-5)
