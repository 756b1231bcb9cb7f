"""Claims on translation, measured on the networks that ship: against the baseline, and minimum Bayes risk."""

import functools
from typing import NamedTuple

import numpy as np
from onepaper.claims import ClaimContext, Evidence, Measurement, Note, Table

from cdcd.config import SamplingOptions
from cdcd.data.parallel import Pair
from cdcd.data.sentences import Sentences, load_pairs
from cdcd.evaluation.translations import bootstrap_p, least_risk, measure_translations
from cdcd.models.causal_translation import CausalTranslator
from cdcd.models.translation import TranslationDiffusion
from cdcd.pretrained.translators import TranslationNetwork, open_translator
from cdcd.translation.decoding import Translator, search_beams

# Networks that are measured: names of shipped weights.
WEIGHTS, BASELINE = "verses", "verses-autoregressive"

# Held-out sentences, by tier.
SENTENCES = {"quick": 128, "full": 300, "retrain": 300}

# Hypotheses of minimum Bayes risk, of which each larger set holds the smaller one.
HYPOTHESES = (1, 4, 16)

# Temperature and guidance of the paper for German (section 6.6).
OPTIONS = SamplingOptions(steps=50, score_temperature=0.8, guidance=4.0)


class Setting(NamedTuple):
    """The shipped networks and the test part."""

    network: TranslationNetwork[TranslationDiffusion]
    test: Sentences


@functools.cache
def setting() -> Setting:
    """The shipped diffusion network and the pairs of the test part."""
    network = open_translator(WEIGHTS, TranslationDiffusion)
    config = network.model.config
    return Setting(network, load_pairs(network.data, config.vocab_size, config.source_length, config.length).test)


def _test_pairs(context: ClaimContext) -> list[Pair]:
    return setting().test.pairs[: SENTENCES[context.tier]]


def _hypotheses(context: ClaimContext, seed: int, count: int) -> list[list[str]]:
    """Translations of the test sentences, by sentence."""
    network, test = setting()
    tokens = Translator(network.model, network.codec, OPTIONS).sample(
        test.source[: len(_test_pairs(context))], count, seed=seed
    )
    return [[network.codec.decode(row) for row in rows] for rows in tokens]


def against_baseline(context: ClaimContext) -> Evidence:
    """BLEU of single samples, and of beam search of the baseline trained on the same pairs."""
    pairs = _test_pairs(context)
    baseline = open_translator(BASELINE, CausalTranslator)
    beams = search_beams(baseline.model, baseline.codec, setting().test.source[: len(pairs)])
    of_baseline = measure_translations(beams, pairs)
    measured: dict[int, dict[str, float]] = {}
    texts: list[str] = []
    for seed in context.seeds:
        texts = [rows[0] for rows in _hypotheses(context, seed, 1)]
        measured[seed] = measure_translations(texts, pairs)
    rows = [("diffusion", *(f"{np.mean([row[name] for row in measured.values()]):.3f}" for name in of_baseline))]
    rows.append(("autoregressive", *(f"{value:.3f}" for value in of_baseline.values())))
    examples = "\n\n".join(
        "\n".join((*pair, text, beam)) for pair, text, beam in zip(pairs[:4], texts, beams, strict=False)
    )
    return Evidence(
        "",
        [
            Measurement.over_seeds("BLEU, diffusion", {seed: row["bleu"] for seed, row in measured.items()}),
            Measurement.over_seeds("BLEU, autoregressive", dict.fromkeys(context.seeds, of_baseline["bleu"])),
            Measurement.over_seeds("copied words, diffusion", {seed: row["copied"] for seed, row in measured.items()}),
        ],
        [Table("Translations", ("model", *of_baseline), rows), Note(examples)],
    )


def least_risk_of_samples(context: ClaimContext) -> Evidence:
    """BLEU of the hypothesis of least risk by the number of hypotheses, and a bootstrap of the most against one."""
    pairs = _test_pairs(context)
    references = [pair.target for pair in pairs]
    bleu: dict[int, dict[int, float]] = {count: {} for count in HYPOTHESES}
    p_values = dict[int, float]()
    for seed in context.seeds:
        found = context.arm(
            f"{HYPOTHESES[-1]} hypotheses",
            seed,
            lambda seed=seed: {"texts": _hypotheses(context, seed, HYPOTHESES[-1])},
        )
        texts = found["texts"]
        chosen = {count: [rows[least_risk(rows[:count])] for rows in texts] for count in HYPOTHESES}
        for count, selected in chosen.items():
            bleu[count][seed] = measure_translations(selected, pairs)["bleu"]
        p_values[seed] = bootstrap_p(chosen[HYPOTHESES[0]], chosen[HYPOTHESES[-1]], references)
    measured = [Measurement.over_seeds(f"BLEU, {count} hypotheses", values) for count, values in bleu.items()]
    table = Table(
        "Minimum Bayes risk",
        ("hypotheses", *(f"seed {seed}" for seed in context.seeds)),
        [(count, *(f"{value:.2f}" for value in values.values())) for count, values in bleu.items()],
    )
    return Evidence("", [*measured, Measurement.over_seeds("p of the bootstrap", p_values)], [table])
