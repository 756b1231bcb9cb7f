"""Baselines learn, resume to the same bits, and give exact bits of coded pictures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from onepaper.errors import OnePaperError, UsageError
from onepaper.runs import Run

from dct_transformer.baselines import draw_baseline, score_baseline, train_baseline
from dct_transformer.config import BaselineConfig, CodecConfig, DataConfig
from dct_transformer.data.images import Images, open_images, resize
from dct_transformer.representation.codec import decode, encode
from dct_transformer.representation.dct_image import psnr

BASE = BaselineConfig(dim=16, heads=2, layers=1, batch_size=4)
BASE = replace(
    BASE,
    optimizer=replace(BASE.optimizer, lr=1e-2, warmup_steps=2),
    loop=replace(BASE.loop, steps=30, checkpoint_every=10),
)


@pytest.fixture(scope="module")
def images() -> Images:
    return open_images(DataConfig(), 16, 16)


def test_bytes(images: Images) -> None:
    baseline = train_baseline(BASE, images=images)
    untrained = train_baseline(replace(BASE, loop=replace(BASE.loop, steps=1)), images=images)
    held_out = images.part(held_out=True)
    scores = score_baseline(baseline, held_out)
    assert scores.bits.mean() < 0.98 * score_baseline(untrained, held_out).bits.mean()
    assert scores.lengths.mean() > 40
    pictures = [resize(held_out[index], (16, 16)) for index in range(len(held_out))]
    coded = [psnr(decode(encode(picture), 16, 16), picture) for picture in pictures]
    assert scores.psnr == pytest.approx(np.mean(coded), abs=0.05)
    assert scores.summary()["bits_per_token"] == pytest.approx(scores.bits.sum() / scores.lengths.sum())
    again = train_baseline(BASE, images=images)
    for before, after in zip(baseline.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(before, after)


@pytest.mark.parametrize("tokens", ["codes", "pixels"])
def test_resume_gives_the_same_bits(tokens: str, images: Images, tmp_path: Path) -> None:
    steps = 12 if tokens == "codes" else 3
    config = replace(BASE, tokens=tokens, loop=replace(BASE.loop, steps=steps, checkpoint_every=1))  # type: ignore[arg-type]
    baseline = train_baseline(config, images=images)
    stopped = replace(config, loop=replace(config.loop, max_minutes=1e-9))
    for part in (stopped, config):
        with Run.open(tmp_path, paper="dct-transformer", verb="train", config=config) as run:
            if part is stopped:
                with pytest.raises(OnePaperError, match="the time ended at step 1 of"):
                    train_baseline(part, run, images=images)
            else:
                resumed = train_baseline(part, run, images=images)
    assert (tmp_path / "autoencoder" / "checkpoints").is_dir() == (tokens == "codes")
    for before, after in zip(baseline.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(before, after)
    drawn = draw_baseline(baseline, 2, seed=1)
    assert [picture is not None and picture.shape for picture in drawn] == 2 * [(16, 16, 3)]
    others = draw_baseline(resumed, 2, seed=1)
    np.testing.assert_array_equal(np.stack(drawn), np.stack(others))  # type: ignore[arg-type]


def test_wrong_configurations() -> None:
    for changes, expected in (
        ({"dim": 18}, "dim is 18"),
        ({"codec": CodecConfig(block=4)}, "block is 4"),
        ({"tokens": "codes", "width": 18}, "multiples of 4"),
        ({"levels": (1,)}, "levels are"),
    ):
        with pytest.raises(UsageError, match=expected):
            replace(BASE, **changes)  # type: ignore[arg-type]
