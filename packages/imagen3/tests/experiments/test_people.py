"""Claims about people: the tones of the training data are those of the mix, and labels become shares and prompts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onepaper.claims import ClaimContext
from onepaper.training import LoopOptions

from imagen3.data.emoji import emoji
from imagen3.experiments import data_recipe, people
from imagen3.responsibility.tones import tone_of


def test_the_collection_has_the_tones_of_its_mix() -> None:
    found = people.collection((1.0, 0.0, 0.0, 0.0, 0.0), 0)
    assert len(found.pixels) == len(people.people()) * people.COPIES
    assert {tone_of(picture) for picture in found.pixels[:: people.COPIES]} == {"light"}
    names = [own[0].text for own in found.captions[:: people.COPIES]]
    assert names == [emoji()[number].name for number in people.people()]
    assert {"man", "woman", "waving hand"} <= set(names)
    counts = [tone_of(picture) for picture in people.collection(people.MIXES["balanced"], 1).pixels]
    shares = np.unique(counts, return_counts=True)[1] / len(counts)
    np.testing.assert_allclose(shares, 0.2, atol=0.06)
    assert all(sum(shares) == pytest.approx(1) for shares in people.MIXES.values())


def test_both_claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_recipe, "TRAINING", replace(data_recipe.TRAINING, loop=LoopOptions(1)))
    monkeypatch.setattr(people, "COPIES", 1)
    monkeypatch.setattr(people, "DRAWN", 2)
    # What one step has learned has no tone: two pictures of each prompt are the shipped ones in tones of the test.
    drawn = people.collection(people.MIXES["skewed"], 5).pixels.repeat(2, axis=0)
    monkeypatch.setattr(people, "generate", lambda *_, **__: drawn)
    context = ClaimContext(folder=tmp_path, seeds=(0,))
    found = people.tones_of_people(context)
    assert found.measurement("pictures with a tone, balanced data").mean == 1
    assert 0.6 < found.measurement("largest share of tones, skewed data").mean < 1
    found = people.prompts_of_one_tone(context)
    assert found.measurement("prompts of one tone, balanced data").mean == 1
