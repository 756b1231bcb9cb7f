from dataclasses import replace

import numpy as np
import pytest
from onepaper.errors import UsageError

from perceiver_ar.config import EOS, SOS, ModelConfig
from perceiver_ar.data.copy_task import check_fits, crops, mirrored


def test_the_second_half_mirrors_the_first() -> None:
    events = mirrored(np.random.default_rng(0), 500, 22, 19)
    assert events.shape == (500, 22)
    assert (events[:, 0] == SOS).all()
    assert (events[:, -1] == EOS).all()
    np.testing.assert_array_equal(events[:, 1:], np.concatenate([events[:, :0:-1][:, 1:], events[:, -1:]], axis=1))


def test_symbols_are_uniform() -> None:
    half = mirrored(np.random.default_rng(1), 1000, 34, 19)[:, 1:17]
    counts = np.bincount(half.ravel(), minlength=19)
    assert not counts[:3].any()
    assert ((counts[3:] - 1000) ** 2 / 1000).sum() < 44.3  # chi-square, 15 degrees of freedom, p = 1e-4


def test_targets_of_latents_lie_in_the_mirrored_half() -> None:
    lengths = crops(np.random.default_rng(2), 2000, 22, 4)
    assert set(lengths.tolist()) == set(range(14, 22))
    first_target = lengths.min() - 4 + 1  # the token after the first latent's input
    assert first_target == 11  # which is the first of the mirrored symbols: SOS and ten symbols come before


def test_lengths_that_cannot_be_raise_errors() -> None:
    model = ModelConfig(context_length=22, num_latents=4)
    check_fits(model)
    with pytest.raises(UsageError, match="context_length is 21, expected an even number"):
        check_fits(replace(model, context_length=21))
    with pytest.raises(UsageError, match="num_latents is 12, expected at most 11"):
        check_fits(replace(model, num_latents=12))
    with pytest.raises(UsageError, match="length is 5, expected an even number"):
        mirrored(np.random.default_rng(0), 1, 5, 19)
