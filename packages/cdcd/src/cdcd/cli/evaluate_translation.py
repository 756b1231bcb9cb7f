"""The verb `evaluate-translation`: BLEU of held-out pairs over a grid of temperatures and guidance."""

from dataclasses import replace

from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation

from cdcd.cli.options import EvaluateTranslationOptions
from cdcd.data.sentences import load_pairs
from cdcd.evaluation.translations import evaluate_denoising, least_risk, measure_translations
from cdcd.models.causal_translation import CausalTranslator
from cdcd.models.translation import TranslationDiffusion
from cdcd.pretrained.translators import open_translator
from cdcd.translation.decoding import Translator, search_beams


def evaluate_translation_verb(call: Invocation) -> None:
    """The verb `evaluate-translation`: prints a table and writes `evaluation.json`."""
    options: EvaluateTranslationOptions = call.options
    if options.dry_run:
        print(f"would translate {options.sentences} sentences of the {options.part} part by {options.weights}")
        return
    use_device(options)
    network = open_translator(options.weights, TranslationDiffusion)
    baseline = open_translator(options.baseline, CausalTranslator) if options.baseline else None
    config = network.model.config
    corpus = load_pairs(network.data, config.vocab_size, config.source_length, config.length)
    held_out = getattr(corpus, options.part)
    pairs = held_out.pairs[: options.sentences]
    source, target = held_out.source[: len(pairs)], held_out.target[: len(pairs)]
    rows = {}
    with call.open_run() as run:
        for temperature in options.score_temperatures:
            for scale in options.guidance:
                sampling = replace(options.sampling, score_temperature=temperature, guidance=scale)
                tokens = Translator(network.model, network.codec, sampling).sample(
                    source, options.hypotheses, seed=options.seed
                )
                texts = [[network.codec.decode(row) for row in rows] for rows in tokens]
                chosen = [rows[least_risk(rows, options.tokenization)] for rows in texts]
                rows[f"T={temperature:g} guidance={scale:g}"] = measure_translations(
                    chosen, pairs, options.tokenization
                )
        if baseline is not None:
            texts_of_baseline = search_beams(baseline.model, baseline.codec, source, beams=options.beams)
            rows[f"{options.baseline}, {options.beams} beams"] = measure_translations(
                texts_of_baseline, pairs, options.tokenization
            )
        rows["references"] = measure_translations([pair.target for pair in pairs], pairs, options.tokenization)
        loss = evaluate_denoising(network.model, source, target)
        run.write_json("evaluation.json", {"translations": rows, "loss": loss, "sentences": len(pairs)})
    print(f"{'':<36}" + "".join(f"{name:>12}" for name in rows["references"]))
    for name, row in rows.items():
        print(f"{name:<36}" + "".join(f"{value:>12.3f}" for value in row.values()))
    for name, value in loss.items():
        print(f"{name.replace('_', ' '):<36}{value:>12.4f}")
    print(f"written: {run.folder / 'evaluation.json'}")
