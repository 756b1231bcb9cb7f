"""Translations do not depend on batches; the choice among hypotheses is that of least risk."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from onepaper.errors import UsageError

from cdcd.config import SamplingOptions
from cdcd.data.sentences import ParallelCorpus
from cdcd.evaluation.translations import least_risk
from cdcd.models.causal_translation import CausalTranslator
from cdcd.models.translation import TranslationDiffusion
from cdcd.pretrained.translators import TranslationNetwork, open_translator
from cdcd.translation.decoding import Translator, encode_sources, in_batches, search_beams

OPTIONS = SamplingOptions(steps=3, guidance=2.0, score_temperature=0.9)


@pytest.fixture(scope="module")
def network(translators: Path) -> TranslationNetwork[TranslationDiffusion]:
    return open_translator(translators / "verses", TranslationDiffusion)


def test_batches_and_other_hypotheses_do_not_matter(
    network: TranslationNetwork[TranslationDiffusion], pairs: ParallelCorpus
) -> None:
    source = pairs.test.source[:3]
    whole = Translator(network.model, network.codec, OPTIONS).sample(source, 3, seed=1)
    assert whole.shape == (3, 3, 40)
    parts = Translator(network.model, network.codec, OPTIONS, batch_size=4).sample(source, 3, seed=1)
    np.testing.assert_array_equal(whole, parts)
    fewer = Translator(network.model, network.codec, OPTIONS).sample(source[:2], 2, seed=1)
    np.testing.assert_array_equal(whole[:2, :2], fewer)
    assert (whole[0, 0] != whole[0, 1]).any()


def test_translations(network: TranslationNetwork[TranslationDiffusion]) -> None:
    sentences = ["And he said unto them.", "In the beginning."]
    found = Translator(network.model, network.codec, OPTIONS).translate(sentences, 3)
    assert [len(translation.hypotheses) for translation in found] == [3, 3]
    for translation in found:
        assert translation.text == translation.hypotheses[least_risk(translation.hypotheses)]


def test_what_is_refused(network: TranslationNetwork[TranslationDiffusion]) -> None:
    with pytest.raises(UsageError, match="empty sentence"):
        encode_sources(network.codec, ["good", " "], 40)
    with pytest.raises(UsageError, match="expected at most 39 tokens"):
        encode_sources(network.codec, ["word " * 60], 40)
    translator = Translator(network.model, network.codec, OPTIONS)
    with pytest.raises(UsageError, match="no sentence to translate"):
        translator.translate([])
    with pytest.raises(UsageError, match="hypotheses"):
        translator.translate(["good"], 0)


def test_a_result_that_is_not_finite(translators: Path) -> None:
    network = open_translator(translators / "verses", TranslationDiffusion)
    network.model.head.kernel[...] = network.model.head.kernel[...] * jnp.nan
    with pytest.raises(UsageError, match="not finite from step 0 on, at noise level 50"):
        Translator(network.model, network.codec, OPTIONS).translate(["good"])


def test_beams(translators: Path, pairs: ParallelCorpus) -> None:
    network = open_translator(translators / "verses-autoregressive", CausalTranslator)
    source = pairs.test.source[:3]
    whole = search_beams(network.model, network.codec, source, beams=2)
    assert search_beams(network.model, network.codec, source, beams=2, batch_size=2) == whole


def test_batches_of_one_size() -> None:
    sizes = []

    def double(rows: np.ndarray) -> np.ndarray:
        sizes.append(len(rows))
        return 2 * rows

    np.testing.assert_array_equal(in_batches(double, 7, 3), 2 * np.arange(7))
    assert sizes == [3, 3, 3]
