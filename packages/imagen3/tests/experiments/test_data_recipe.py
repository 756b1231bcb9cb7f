"""Claims about the recipe of the data: copies are made and removed, and losses are those of the texts they name."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onepaper.claims import ClaimContext
from onepaper.training import LoopOptions

from imagen3.data.pictures import Pictures
from imagen3.experiments import data_recipe
from imagen3.pretrained.systems import System
from imagen3.training.cache import build_cache


@pytest.fixture
def selected(pictures: Pictures) -> Pictures:
    return pictures.subset(np.flatnonzero(pictures.selected))


def test_copies(selected: Pictures) -> None:
    whole, copied = data_recipe.with_copies(selected, 3)
    assert len(whole.pixels) == len(selected.pixels) + 3 * 63
    assert {selected.part[number] for number in copied} == {"train"}
    added = [own[0].text for own in whole.captions[len(selected.pixels) :]]
    assert {text: added.count(text) for text in set(added)} == {selected.captions[n][0].text: 63 for n in copied}


def test_longest_captions(system: System, selected: Pictures) -> None:
    features = build_cache(system.autoencoder, system.encoder, selected)
    numbers = data_recipe.longest_captions(selected, features)
    for number in (0, 7, len(selected.pixels) - 1):
        longest = max((caption.text for caption in selected.captions[number]), key=len)
        expected = system.encoder.encode([longest]).pooled[0]
        np.testing.assert_allclose(features.text(numbers[[number]]).pooled[0], expected, atol=2e-3)


def test_both_claims(system: System, selected: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_recipe, "setting", lambda: (system, selected))
    monkeypatch.setattr(data_recipe, "TRAINING", replace(data_recipe.TRAINING, loop=LoopOptions(2)))
    monkeypatch.setattr(data_recipe, "COPIES", 4)
    context = ClaimContext(folder=tmp_path, seeds=(0, 1, 2))
    found = data_recipe.duplicates(context)
    for name in ("advantage of copied pictures", "advantage without copies"):
        assert np.isfinite(found.measurement(name).mean)
    found = data_recipe.caption_mixture(context)
    assert found.measurement("loss, mixed captions").mean > 0
