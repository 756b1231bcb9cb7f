"""Files have the quality and subsampling that were asked for."""

import numpy as np

from dct_transformer.config import CodecConfig
from dct_transformer.data.jpeg_files import read_jpeg_bytes
from dct_transformer.experiments.pillow_files import saved_by_pillow
from dct_transformer.representation.codec import color_tables


def test_tables_and_subsampling(picture: np.ndarray) -> None:
    for config in (CodecConfig(quality=30), CodecConfig(quality=90, subsampling="4:4:4")):
        image = read_jpeg_bytes(saved_by_pillow(picture, config))
        for found, expected in zip(image.tables, color_tables(config), strict=True):
            np.testing.assert_array_equal(found, expected)
        assert image.steps[1] == ((2, 2) if config.subsampling == "4:2:0" else (1, 1))
