"""The mark: exact probabilities, what is marked is found, and nothing else is."""

import numpy as np
import pytest
from onepaper.errors import UsageError
from scipy.stats import binom, binomtest, kstest

from imagen3.data.scenes import draw_scene, random_scenes
from imagen3.responsibility import watermark
from imagen3.responsibility.watermark import CHIPS, Picture


def found(picture: Picture, key: bytes) -> watermark.Detection:
    frame = watermark.resampled(picture @ watermark.LUMA, 256, 256)
    return watermark.detection(watermark.marked_coefficients(frame), key)


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    """Textures that look like photographs, from 64 pixels to another aspect ratio."""
    generator = np.random.default_rng(0)
    sizes = ((64, 64), (256, 256), (300, 200))
    noise = [generator.normal(128, 60, (height // 8, width // 8)) for height, width in sizes]
    smooth = [watermark.resampled(own, *size) for own, size in zip(noise, sizes, strict=True)]
    return [np.repeat(own[..., None], 3, axis=2).clip(0, 255).astype(np.uint8) for own in smooth]


def test_coefficients_and_frame_are_inverse() -> None:
    values = np.random.default_rng(0).standard_normal(CHIPS)
    frame = watermark.frame_of(values)
    np.testing.assert_allclose(watermark.marked_coefficients(frame), values, atol=1e-12)
    assert np.square(frame).sum() == pytest.approx(np.square(values).sum())
    # A coefficient is a product of cosines in its block.
    place = np.cos(np.pi * 2 * (np.arange(16) + 0.5) / 16) * np.sqrt(2 / 16) / np.sqrt(16)
    block = watermark.frame_of(np.eye(CHIPS)[6 * 17])[16:32, 16:32]
    np.testing.assert_allclose(block, np.broadcast_to(place, (16, 16)), atol=1e-12)


@pytest.mark.parametrize(
    ("tested", "rate", "expected"),
    [
        (32, 1e-3, 26),
        (32, 1e-6, 30),
        (64, 1e-3, 45),
        (64, 1e-6, 51),
        (96, 1e-3, 64),
        (128, 1e-6, 92),
        (24, 1e-3, 20),
        (24, 1e-6, 24),
    ],
)
def test_thresholds(tested: int, rate: float, expected: int) -> None:
    assert watermark.least_matches(tested, rate) == expected
    assert binomtest(expected, tested, alternative="greater").pvalue <= rate
    assert binomtest(expected - 1, tested, alternative="greater").pvalue > rate


def test_marked_pictures(pictures: list[Picture]) -> None:
    for number, picture in enumerate(pictures):
        for psnr in (36.0, 40.0):
            marked = watermark.embed(picture, b"key", 2**32 - 1 - number, psnr=psnr)
            assert watermark.peak_ratio(picture, marked) >= psnr
            assert marked.shape == picture.shape
            own = found(marked, b"key")
            assert own.p_value < 1e-6
            assert own.p_value == pytest.approx(binomtest(own.matches, own.tested, alternative="greater").pvalue)
            if number == 0:  # strong texture hides few bits
                assert own.payload == 2**32 - 1 - number
            assert found(marked, b"another key").p_value > 1e-4
            assert found(marked, b"another key").payload is None


def test_plain_areas_have_no_sign() -> None:
    white = np.full((256, 256, 3), 255, np.uint8)
    assert found(white, b"key") == (0, 0, 1.0, None)
    assert found(watermark.embed(white, b"key", 5, psnr=38.0), b"key").payload == 5


def test_p_values_of_unmarked_pictures_are_uniform() -> None:
    pictures = [draw_scene(scene) for scene in random_scenes(20, np.random.default_rng(0), 128)]
    frames = [watermark.marked_coefficients(watermark.resampled(own @ watermark.LUMA, 256, 256)) for own in pictures]
    results = [watermark.detection(own, f"{n}".encode()) for own in frames for n in range(100)]
    p_values = np.array([own.p_value for own in results])
    # The probabilities of so many matches are spread evenly, since the numbers of matches are discrete.
    atoms = binom.pmf([own.matches for own in results], [own.tested for own in results], 0.5)
    spread = p_values - atoms * np.random.default_rng(1).random(len(results))
    assert kstest(spread, "uniform").pvalue > 1e-3
    for rate in (0.1, 0.01):
        assert binomtest(int((p_values <= rate).sum()), len(p_values), rate, alternative="greater").pvalue > 1e-3


def test_check_sums() -> None:
    bits = watermark.payload_bits(123456789)
    assert len(bits) == 52
    assert watermark.read_payload(bits) == 123456789
    for place in range(52):
        assert watermark.read_payload(bits ^ (np.arange(52) == place)) is None


def test_same_key_same_mark(pictures: list[Picture]) -> None:
    first, second = (watermark.embed(pictures[0], b"key", 1) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_wrong_values(pictures: list[Picture]) -> None:
    for call, message in (
        (lambda: watermark.embed(pictures[0], b""), "the key of the watermark is empty"),
        (lambda: watermark.embed(pictures[0], b"k", 2**32), "payload of the watermark is 4294967296"),
        (lambda: watermark.embed(pictures[0][:40], b"k"), "40 x 64 pixels, expected at least 64"),
        (lambda: watermark.embed(pictures[0], b"k", psnr=90.0), "psnr is 90"),
        (lambda: watermark.least_matches(16, 1e-6), "16 signs reach 1.5e-05 at best"),
        (lambda: watermark.least_matches(16, 0.0), "false positive rate is 0"),
    ):
        with pytest.raises(UsageError, match=message):
            call()
