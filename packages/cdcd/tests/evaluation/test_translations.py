"""BLEU against sacrebleu's command, minimum Bayes risk by definition, the bootstrap, and copied words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onepaper.errors import UsageError
from sacrebleu import corpus_bleu as sacrebleu_corpus
from sacrebleu import sentence_bleu

from cdcd.data.parallel import Pair
from cdcd.data.sentences import ParallelCorpus
from cdcd.evaluation.translations import (
    bootstrap_p,
    causal_translation_nats,
    copy_rate,
    corpus_bleu,
    evaluate_denoising,
    least_risk,
    measure_translations,
)
from cdcd.models.causal_translation import CausalTranslator
from cdcd.models.translation import TranslationDiffusion
from cdcd.pretrained.translators import open_translator

TEXTS = st.lists(st.text(alphabet="abc ", min_size=0, max_size=12), min_size=1, max_size=6)


def test_bleu() -> None:
    hypotheses, references = ["the cat sat on a mat.", "yes, it is"], ["the cat sat on the mat.", "yes, it was so"]
    assert corpus_bleu(hypotheses, references) == sacrebleu_corpus(hypotheses, [references]).score
    assert corpus_bleu(references, references) == pytest.approx(100)
    chars = sacrebleu_corpus(hypotheses, [references], tokenize="char").score
    assert corpus_bleu(hypotheses, references, "char") == chars
    with pytest.raises(UsageError, match="1 translations of 2"):
        corpus_bleu(hypotheses[:1], references)


@settings(max_examples=60, deadline=None)
@given(texts=TEXTS)
def test_least_risk_by_definition(texts: list[str]) -> None:
    means = [
        sum(sentence_bleu(text, [other]).score for number, other in enumerate(texts) if number != own)
        for own, text in enumerate(texts)
    ]
    chosen = least_risk(texts)
    assert means[chosen] == pytest.approx(max(means), abs=1e-6)


def test_least_risk_prefers_what_is_repeated() -> None:
    assert least_risk(["a b c d", "x y z w", "x y z w"]) == 1
    assert least_risk(["only one"]) == 0


def test_bootstrap() -> None:
    references = [f"w{number} is a good word for number {number}" for number in range(30)]
    worse = [text.replace("good word", "bad idea") for text in references]
    assert bootstrap_p(worse, references, references, samples=100) == 0.0
    assert bootstrap_p(references, worse, references, samples=100) == 1.0
    # Half of the sentences better in each: either may win.
    mixed = [(a if number % 2 else b) for number, (a, b) in enumerate(zip(worse, references, strict=True))]
    other = [(b if number % 2 else a) for number, (a, b) in enumerate(zip(worse, references, strict=True))]
    assert 0.05 < bootstrap_p(mixed, other, references, samples=200) < 0.95


def test_copied_words() -> None:
    assert copy_rate(["la dog es mine"], ["The dog is mine"], ["la perra es mine"]) == 1 / 4
    assert copy_rate([""], ["x"], ["y"]) == 0.0
    found = measure_translations(["perra"], [Pair("dog", "la perra")])
    assert found["length"] == 0.5


def test_losses(translators: object, pairs: ParallelCorpus) -> None:
    model = open_translator(f"{translators}/verses", TranslationDiffusion).model
    found = evaluate_denoising(model, pairs.test.source[:8], pairs.test.target[:8])
    assert found["nats_tokens"] == pytest.approx(np.log(512), abs=1.0)
    baseline = open_translator(f"{translators}/verses-autoregressive", CausalTranslator).model
    nats = causal_translation_nats(baseline, pairs.test.source[:8], pairs.test.target[:8])
    assert nats == pytest.approx(np.log(512), abs=1.5)
