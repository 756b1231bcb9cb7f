"""Copies are joined and other pictures are not, those alike in structure only among them; weights of groups."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageDraw

from imagen3.config import FilterConfig
from imagen3.data.emoji import emoji_pictures
from imagen3.data.pipeline.similar import group_weights, layout, perceptual_hash, similar_groups

LIMITS = FilterConfig()


def groups_of(pictures: list[np.ndarray], block: int = 512) -> np.ndarray:
    hashes, layouts = (np.stack([function(own) for own in pictures]) for function in (perceptual_hash, layout))
    return similar_groups(hashes, layouts, LIMITS.hash_bits, LIMITS.layout_tolerance, block=block)


def as_jpeg(picture: np.ndarray) -> np.ndarray:
    stream = BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=50)
    return np.asarray(Image.open(stream))


def as_smaller(picture: np.ndarray) -> np.ndarray:
    height, width, _ = picture.shape
    return np.asarray(Image.fromarray(picture).resize((width * 9 // 10, height * 9 // 10)))


def shifted(picture: np.ndarray) -> np.ndarray:
    return np.roll(picture, 1, axis=1)


def chart(generator: np.random.Generator, colour: str) -> np.ndarray:
    """Bars on axes: another chart has other bars."""
    image = Image.new("RGB", (128, 128), "white")
    draw = ImageDraw.Draw(image)
    draw.line([(12, 8), (12, 116), (120, 116)], fill="black", width=2)
    for index, height in enumerate(generator.integers(10, 100, 8)):
        draw.rectangle([18 + 13 * index, 115 - int(height), 26 + 13 * index, 115], fill=colour)
    return np.asarray(image)


@pytest.mark.parametrize(("copy", "least"), [(as_jpeg, 1.0), (as_smaller, 0.99), (shifted, 0.8)])
def test_copies_are_joined(copy: type, least: float) -> None:
    originals = list(emoji_pictures()[::20])
    groups = groups_of([*originals, *(copy(own) for own in originals)])
    assert (groups[: len(originals)] == groups[len(originals) :]).mean() >= least


def test_other_pictures_are_not() -> None:
    originals = list(emoji_pictures()[::20])
    assert len(np.unique(groups_of(originals))) >= 0.95 * len(originals)
    mirrored = [own[:, ::-1] for own in originals]
    groups = groups_of([*originals, *mirrored])
    symmetric = np.array([np.abs(own.astype(int) - own[:, ::-1]).mean() < 8 for own in originals])
    joined = groups[: len(originals)] == groups[len(originals) :]
    assert joined[~symmetric].mean() < 0.15


def test_charts_that_are_alike_in_structure_only() -> None:
    """Charts of other values, and of other colours with equal values, are all kept; a compressed copy is not."""
    charts = [chart(np.random.default_rng(seed), "steelblue") for seed in range(30)]
    charts.append(chart(np.random.default_rng(0), "darkorange"))
    assert len(np.unique(groups_of(charts))) == len(charts)
    groups = groups_of([*charts, as_jpeg(charts[3])])
    assert groups[-1] == groups[3]


def test_blocks_do_not_matter() -> None:
    pictures = [*emoji_pictures()[:40], *(as_jpeg(own) for own in emoji_pictures()[:40])]
    assert np.array_equal(groups_of(pictures), groups_of(pictures, block=7))


def test_weights_of_groups() -> None:
    groups = np.array([0, 0, 0, 0, 1, 2, 2])
    weights = group_weights(groups, 1.0)
    assert weights.mean() == pytest.approx(1.0)
    sums = np.bincount(groups, weights)
    np.testing.assert_allclose(sums, sums[0])
    assert np.array_equal(group_weights(groups, 0.0), np.ones(7))
    half = group_weights(groups, 0.5)
    assert half[4] / half[0] == pytest.approx(2.0)
