"""Duplicates: copies are found whatever the order and the blocks, and pictures that are alike only are kept."""

from dataclasses import replace

import numpy as np
from PIL import Image

from imagen3.config import DataConfig
from imagen3.data.duplicates import duplicate_groups
from imagen3.data.emoji import emoji_pictures
from imagen3.data.pictures import Pictures, load_pictures
from imagen3.experiments.data_recipe import as_jpeg


def test_copies_are_found() -> None:
    chosen = emoji_pictures()[700:712]
    smaller = np.stack(
        [np.asarray(Image.fromarray(own).resize((48, 48)).resize((64, 64), Image.Resampling.BICUBIC)) for own in chosen]
    )
    copies = np.stack([as_jpeg(own, 70) for own in chosen])
    groups = duplicate_groups(np.concatenate([chosen, copies, smaller]), block=5)
    assert np.array_equal(groups, np.tile(groups[:12], 3))
    assert len(np.unique(groups)) == 12


def test_drawings_of_equal_structure_are_kept() -> None:
    """Two charts that differ in one bar, and one picture in two colours."""
    charts = np.full((4, 64, 64, 3), 255, np.uint8)
    for number, heights in enumerate(((10, 30, 50), (10, 50, 50))):
        for bar, height in enumerate(heights):
            charts[number, 64 - height :, 20 * bar : 20 * bar + 12] = (60, 120, 200)
    charts[2, 16:48, 16:48] = (220, 40, 40)
    charts[3, 16:48, 16:48] = (40, 160, 60)
    assert len(np.unique(duplicate_groups(charts))) == 4


def test_the_first_of_each_group_is_kept(pictures: Pictures) -> None:
    some = pictures.subset(np.array([5, 9, 5, 9, 300]))
    found = some.without_duplicates()
    assert found.left_out == 2
    assert [own[0].text for own in found.captions] == [pictures.captions[number][0].text for number in (5, 9, 300)]
    assert np.array_equal(found.pixels, pictures.pixels[[5, 9, 300]])


def test_the_option_removes_them() -> None:
    config = DataConfig(size=32)
    found, whole = load_pictures(replace(config, remove_duplicates=True)), load_pictures(config)
    assert 0 < found.left_out < 0.05 * len(whole.pixels)
    assert len(found.pixels) + found.left_out == len(whole.pixels)
