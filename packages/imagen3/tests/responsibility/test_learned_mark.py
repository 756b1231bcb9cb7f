"""The learned watermark: places of pictures, the ratio that is kept, and p-values that are exact over keys."""

import numpy as np
import pytest
import torch
from onepaper.errors import UsageError
from PIL import Image
from scipy.stats import kstest

from imagen3.data.scenes import draw_scene, random_scenes
from imagen3.responsibility import learned_mark
from imagen3.responsibility.attacks import ATTACKS
from imagen3.responsibility.learned_mark import LearnedMark, detect_learned, embed_learned, key_signs, placed
from imagen3.responsibility.registration import Placement
from imagen3.responsibility.watermark import Picture, peak_ratio
from imagen3.sampling import from_bytes

RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    return [draw_scene(scene) for scene in random_scenes(4, np.random.default_rng(3), 128)]


@pytest.fixture(scope="module")
def untrained() -> LearnedMark:
    torch.manual_seed(0)
    return LearnedMark().eval()


def test_parts_return_to_their_place() -> None:
    whole = from_bytes(RANDOM.integers(0, 256, (1, 64, 64, 3), np.uint8))
    torch.testing.assert_close(placed(whole, (Placement(),)), whole, atol=1e-5, rtol=0)
    torch.testing.assert_close(placed(whole, (Placement(True),)), whole.flip(3), atol=1e-5, rtol=0)
    smooth = np.asarray(Image.fromarray(RANDOM.integers(0, 256, (5, 5, 3), np.uint8)).resize((64, 64)))
    part = np.asarray(Image.fromarray(smooth[16:48, 8:40]).resize((64, 64)))
    found = placed(from_bytes(part[None]), (Placement(False, 0.0, 0.5, 64, 32),))[0]
    expected = from_bytes(smooth[None])[0]
    assert float((found - expected)[:, 18:46, 10:38].abs().mean()) < 0.05
    assert float(found[:, :14].abs().max()) == 0
    turned = placed(whole, (Placement(False, 90.0),))
    assert min(float((turned - whole.rot90(times, (2, 3))).abs().max()) for times in (1, 3)) < 1e-3


def test_the_ratio_is_kept(pictures: list[Picture], untrained: LearnedMark) -> None:
    for picture, psnr in zip(pictures, (30, 36, 40, 44), strict=True):
        wide = picture[:100]
        marked = embed_learned(wide, b"key", psnr=psnr, model=untrained)
        assert marked.shape == wide.shape
        assert psnr <= peak_ratio(wide, marked) < psnr + 0.3
        assert (marked == embed_learned(wide, b"key", psnr=psnr, model=untrained)).all()


def test_p_values_are_uniform_over_keys(
    pictures: list[Picture], untrained: LearnedMark, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of any picture and any networks, marked for another key or not."""
    monkeypatch.setattr(learned_mark, "placements", lambda: (Placement(), Placement(True)))
    marked = embed_learned(pictures[0], b"another", psnr=30, model=untrained)
    found = [detect_learned(marked, f"{number}".encode(), model=untrained)[0] for number in range(1500)]
    assert {one.tested for one in found} == {64}
    # A binomial value is discrete: a uniform number below it within its own step makes it continuous.
    matches = np.array([one.matches for one in found])
    above = np.array([one.p_value for one in found])
    steps = np.array([learned_mark.binom.pmf(own, 64, 0.5) for own in matches])
    assert kstest(above - steps * RANDOM.random(len(steps)), "uniform").pvalue > 1e-3
    assert np.mean(above <= 0.05) <= 0.07


def test_keys() -> None:
    assert (key_signs(b"a") == key_signs(b"a")).all()
    assert 16 < (key_signs(b"a") != key_signs(b"b")).sum() < 48


def test_wrong_values(untrained: LearnedMark) -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    with pytest.raises(UsageError, match="expected at least 64 a side"):
        embed_learned(picture[:40], b"key", model=untrained)
    with pytest.raises(UsageError, match="psnr is 90"):
        embed_learned(picture, b"key", psnr=90, model=untrained)
    with pytest.raises(UsageError, match="key of the watermark is empty"):
        detect_learned(picture, b"", model=untrained)


def test_the_networks_that_ship(pictures: list[Picture]) -> None:
    marked = [embed_learned(picture, b"key") for picture in pictures]
    assert min(peak_ratio(*pair) for pair in zip(pictures, marked, strict=True)) >= 40
    for name in ("none", "JPEG 70", "mirrored"):
        found = [detect_learned(np.ascontiguousarray(ATTACKS[name](own, RANDOM)), b"key")[0] for own in marked]
        assert np.median([one.p_value for one in found]) < 1e-3, name
        assert all(one.payload is None for one in found)
    assert min(detect_learned(own, b"wrong")[0].p_value for own in marked) > 1e-4
