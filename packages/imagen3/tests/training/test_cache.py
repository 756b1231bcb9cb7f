"""Cached features: the texts of their pictures, and the share of synthetic ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from onepaper.errors import OnePaperError

from imagen3.data.pictures import Pictures
from imagen3.pretrained.systems import System
from imagen3.training.cache import CACHE_NAME, CaptionChoice, FeatureCache, build_cache, read_cache, save_cache


@pytest.fixture(scope="module")
def few(pictures: Pictures) -> Pictures:
    return replace(
        pictures,
        pixels=pictures.pixels[:6],
        captions=pictures.captions[:6],
        part=pictures.part[:6],
        selected=pictures.selected[:6],
    )


@pytest.fixture(scope="module")
def cache(system: System, few: Pictures) -> FeatureCache:
    return build_cache(system.autoencoder, system.encoder, few)


def test_texts_of_pictures(system: System, few: Pictures, cache: FeatureCache, tmp_path: Path) -> None:
    texts = ["", *(caption.text for captions in few.captions for caption in captions)]
    expected = system.encoder.encode(texts)
    torch.testing.assert_close(cache.tokens.float(), expected.tokens, rtol=1e-3, atol=1e-3)
    assert cache.picture.tolist() == [-1, *(n for n, captions in enumerate(few.captions) for _ in captions)]
    assert int(cache.empty.mask.sum()) == 1
    save_cache(tmp_path, cache)
    for name, value in vars(read_cache(tmp_path)).items():
        assert torch.equal(value, getattr(cache, name)), name
    (tmp_path / CACHE_NAME).write_bytes(b"damaged")
    with pytest.raises(OnePaperError, match="damaged"):
        read_cache(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_share_of_synthetic_texts(cache: FeatureCache, share: float) -> None:
    numbers = np.arange(6).repeat(400)
    chosen = CaptionChoice(cache, share)(numbers, np.random.default_rng(0))
    assert np.array_equal(cache.picture.numpy()[chosen], numbers)
    synthetic = ~cache.original.numpy()[chosen]
    assert synthetic.mean() == pytest.approx(share, abs=0.03)
    if share:
        assert set(chosen[synthetic]) == set(np.flatnonzero((cache.picture.numpy() >= 0) & ~cache.original.numpy()))
