"""Claims on translation of verses: trained networks against the baseline, and minimum Bayes risk by the shipped one."""

from flax import nnx
from onepaper.claims import ClaimContext, Evidence, Measurement, Note, Table

from cdcd.config import CausalTranslationExperiment, SamplingOptions, TranslationExperiment
from cdcd.data.sentences import ParallelCorpus
from cdcd.evaluation.translations import bootstrap_p, least_risk, measure_translations
from cdcd.models.causal_translation import CausalTranslator
from cdcd.models.translation import TranslationDiffusion
from cdcd.presets import PRESETS
from cdcd.pretrained.arrays import arrays_of, model_of
from cdcd.pretrained.translators import open_translator
from cdcd.translation.decoding import Translator, search_beams
from cdcd.translation.training import load_checked_pairs, train_causal_translation, train_translation

PRESET, BASELINE = "laptop-mt", "laptop-mt-autoregressive"
WEIGHTS = "verses"

# Held-out sentences.
SENTENCES = 300

# Hypotheses of minimum Bayes risk, of which each larger set holds the smaller one.
HYPOTHESES = (1, 4, 16)

# Temperature and guidance of the paper for German (section 6.6).
OPTIONS = SamplingOptions(steps=50, score_temperature=0.8, guidance=4.0)


def _corpus() -> ParallelCorpus:
    return load_checked_pairs(PRESETS[PRESET].config)


def _hypotheses(context: ClaimContext, seed: int, count: int) -> list[list[str]]:
    """Translations of the test sentences by a network that is trained with this seed, by sentence."""
    config: TranslationExperiment = PRESETS[PRESET].config
    arrays = context.arm(PRESET, seed, lambda: arrays_of(train_translation(config, seed=seed).model))
    model = model_of(lambda: TranslationDiffusion(config.model, nnx.Rngs(0)), arrays, PRESET)
    corpus = _corpus()
    tokens = Translator(model, corpus.codec, OPTIONS).sample(corpus.test.source[:SENTENCES], count, seed=seed)
    return [[corpus.codec.decode(row) for row in rows] for rows in tokens]


def _beams(context: ClaimContext, seed: int) -> list[str]:
    """Translations of the test sentences by the baseline that is trained with this seed."""
    config: CausalTranslationExperiment = PRESETS[BASELINE].config
    arrays = context.arm(BASELINE, seed, lambda: arrays_of(train_causal_translation(config, seed=seed).model))
    model = model_of(lambda: CausalTranslator(config.model, nnx.Rngs(0)), arrays, BASELINE)
    corpus = _corpus()
    return search_beams(model, corpus.codec, corpus.test.source[:SENTENCES])


def against_baseline(context: ClaimContext) -> Evidence:
    """BLEU of single samples, and of beam search of the baseline trained on the same pairs."""
    pairs = _corpus().test.pairs[:SENTENCES]
    rows: dict[str, dict[int, dict[str, float]]] = {"diffusion": {}, "autoregressive": {}}
    texts, beams = list[str](), list[str]()
    for seed in context.seeds:
        texts, beams = [found[0] for found in _hypotheses(context, seed, 1)], _beams(context, seed)
        rows["diffusion"][seed] = measure_translations(texts, pairs)
        rows["autoregressive"][seed] = measure_translations(beams, pairs)
    measured = {
        (label, name): Measurement.over_seeds(f"{label}, {name}", {seed: row[key] for seed, row in by_seed.items()})
        for label, key in (("BLEU", "bleu"), ("copied words", "copied"), ("length", "length"))
        for name, by_seed in rows.items()
    }
    labels = ("BLEU", "copied words", "length")
    table = [(name, *(f"{measured[label, name].mean:.3f}" for label in labels)) for name in rows]
    examples = ["\n".join((*pair, text, beam)) for pair, text, beam in zip(pairs, texts, beams, strict=True)]
    return Evidence(
        "",
        list(measured.values()),
        [Table("Translations", ("model", *labels), table), Note("\n\n".join(examples[:4]))],
    )


def least_risk_of_samples(context: ClaimContext) -> Evidence:
    """BLEU of the hypothesis of least risk by the number of hypotheses, and a bootstrap of the most against one."""
    network = open_translator(WEIGHTS, TranslationDiffusion)
    translator, test = Translator(network.model, network.codec, OPTIONS), _corpus().test
    pairs = test.pairs[:SENTENCES]
    references = [pair.target for pair in pairs]
    bleu: dict[int, dict[int, float]] = {count: {} for count in HYPOTHESES}
    p_values = dict[int, float]()
    for seed in context.seeds:
        tokens = translator.sample(test.source[:SENTENCES], HYPOTHESES[-1], seed=seed)
        texts = [[network.codec.decode(row) for row in rows] for rows in tokens]
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
