"""The claims of the paper, how each is measured here, and the rule of its verdict."""

from pathlib import Path

from onepaper.claims import Above, AllOf, Below, Claim, Greater, NotTestable, Ordered, Within

from slowae_rlt.config import LANGUAGES

_NOISE, _SPEECH, _TRAININGS, _LANGUAGE, _CODECS, _BASELINES = (
    f"slowae_rlt.experiments.{name}" for name in ("noise", "speech", "trainings", "language", "codecs", "baselines")
)

_FOLDER = Path(__file__).parent

# Results on the shipped models belong to exactly these files.
_WEIGHTS, _LANGUAGE_MODEL = (
    tuple(sorted(path.relative_to(_FOLDER).as_posix() for path in _FOLDER.glob(f"assets/weights/{name}/*")))
    for name in ("laptop", "laptop-rlt")
)
_SPEECH_DATA = ("assets/data/prompts.tsv", *(f"assets/data/prompts-{language}.xz" for language in LANGUAGES))
_SENTENCES = ("assets/data/synthetic.tsv", "assets/data/synthetic.xz")
_PROMPTS, _CLIPS = (*_WEIGHTS, *_SPEECH_DATA), (*_WEIGHTS, *_SENTENCES)

_ONE_MODEL = "The model was trained once, on English prompts of one speaker."

CLAIMS = (
    Claim(
        id="C1",
        place="Paper, abstract and figure 1",
        statement="Events are dense where the signal changes, and silence costs almost none.",
        paper="figure 1: one event in a pause of a third of a second",
        measure=f"{_SPEECH}:activity",
        rule=AllOf(
            Above("rate in speech minus twice that in pauses", 0.0), Above("rate in speech over rate in pauses", 3.0)
        ),
        assets=_PROMPTS,
        note="Held-out prompts in five languages; a voice-activity detector finds the pauses. " + _ONE_MODEL,
    ),
    Claim(
        id="C2",
        place="Paper, abstract and figure 1",
        statement="Events are near the boundaries of phones.",
        paper="a figure",
        measure=f"{_SPEECH}:phone_boundaries",
        rule=AllOf(Above("F1 minus that of even boundaries", 0.05), Above("F1 minus that of random boundaries", 0.05)),
        assets=_CLIPS,
        note="Ten synthetic sentences with exact boundaries, tolerance 20 ms. " + _ONE_MODEL,
    ),
    Claim(
        id="C3",
        place="Paper, abstract",
        statement="The event rate grows with the speaking rate.",
        paper="-",
        measure=f"{_SPEECH}:speaking_rates",
        rule=AllOf(
            Above("rank correlation of speaking rate and event rate", 0.999),
            Below("spread of events per phone over that of seconds per phone", 0.35),
        ),
        assets=_CLIPS,
        note="Ten synthetic sentences at four rates. " + _ONE_MODEL,
    ),
    Claim(
        id="C4",
        place="Paper, figure 6",
        statement="With a fixed weight of the penalty the event rate falls with the weight and then collapses.",
        paper="phoneme accuracy 86.9% (0.1), 89.8% (1), 87.4% (10), 29.3% (100), 3.7% (1000)",
        measure=f"{_TRAININGS}:fixed_weights",
        rule=AllOf(
            Ordered(tuple(f"event rate, weight {weight}" for weight in ("0.01", "0.1", "1", "3", "10"))),
            Below("event rate, weight 10", 5.0),
            Greater("reconstruction, weight 10", "reconstruction, weight 0.01"),
        ),
        tier="retrain",
        note="Weights are in the normalisation of this package; log-mel decoder.",
    ),
    Claim(
        id="C5",
        place="Authors' page of samples",
        statement="A target event rate is met by adapting the weight of the penalty.",
        paper="targets of 35 to 115 Hz",
        measure=f"{_TRAININGS}:target_rates",
        rule=AllOf(*(Within(f"event rate, target {target}", target, 0.2 * target) for target in (25, 50, 75, 100))),
        tier="retrain",
        note="On held-out prompts; log-mel decoder.",
    ),
    Claim(
        id="C6",
        place="Authors' page of samples",
        statement="Reconstructions improve with the target event rate.",
        paper="phoneme accuracy 65.0% (35 Hz) to 86.3% (105 Hz), 85.3% (115 Hz)",
        measure=f"{_TRAININGS}:target_rates",
        rule=Ordered(tuple(f"reconstruction, target {target}" for target in (25, 50, 75, 100))),
        tier="retrain",
        note="Error of the log-mel spectrogram in place of phoneme accuracy.",
    ),
    Claim(
        id="C7",
        place="Authors' page of samples",
        statement="The group-sparse penalty is better than L1, L2 and L4 at equal event rate.",
        paper="phoneme accuracy 81.2% (group), 80.1% (L1), 80.8% (L2), 78.8% (L4)",
        measure=f"{_TRAININGS}:penalties",
        rule=AllOf(*(Greater(f"reconstruction, {name}", "reconstruction, group") for name in ("l1", "l2", "l4"))),
        tier="retrain",
        note="Error of the log-mel spectrogram in place of phoneme accuracy.",
    ),
    Claim(
        id="C8",
        place="Authors' page of samples",
        statement="Four channels of 15 levels are better than one channel, and than three levels.",
        paper="phoneme accuracy 81.2% (C=4, k=7), 50.7% (C=1, k=7), 3.5% (C=4, k=1)",
        measure=f"{_TRAININGS}:sizes",
        rule=AllOf(
            Greater("reconstruction, 1 channels, k=7", "reconstruction, 4 channels, k=7"),
            Greater("reconstruction, 4 channels, k=1", "reconstruction, 4 channels, k=7"),
        ),
        tier="retrain",
        note="Error of the log-mel spectrogram in place of phoneme accuracy.",
    ),
    Claim(
        id="C9",
        place="Authors' page of samples",
        statement="At 75 events a second speech is about as intelligible as with a VQ-VAE at 62.5 codes a second.",
        paper="phoneme accuracy 81.2% and 81.8%",
        measure=f"{_CODECS}:phones_of_both",
        rule=Within("phone accuracy minus that of the VQ-VAE", 0.0, 3.0),
        tier="retrain",
        assets=_SPEECH_DATA,
        note="Held-out English prompts; phones by pocketsphinx (the extra `metrics`); log-mel decoders.",
    ),
    Claim(
        id="C10",
        place="Method",
        statement="Schmitt-trigger quantisation makes fewer spurious events than rounding.",
        paper="-",
        measure=f"{_NOISE}:spurious_events",
        rule=AllOf(
            Within("changes by rounding, over half of the steps", 1.0, 0.05),
            Below("most changes by the trigger", 1.5),
            Greater("events a second, margin 0.5", "events a second, margin 1"),
        ),
        seeds=5,
        assets=_SPEECH_DATA,
        note="Noise of 0.45 levels around a half-integer, and energies of four bands of held-out prompts.",
    ),
    Claim(
        id="C11",
        place="Paper, abstract",
        statement="A run-length Transformer is a language model of speech.",
        paper="samples of models of 1.0 and 2.4 billion parameters",
        measure=f"{_LANGUAGE}:language_model",
        rule=AllOf(
            *(Above(f"bits a second of order {order} minus those of the Transformer", 0.0) for order in (0, 1, 2))
        ),
        assets=(*_PROMPTS, *_LANGUAGE_MODEL),
        note="Events of held-out prompts in five languages, against n-grams. The model was trained once.",
    ),
    Claim(
        id="C12",
        place="Authors' page of samples",
        statement="Sequences of 512 events have durations that vary; 512 codes of a VQ-VAE always have 8.192 s.",
        paper="5.19 to 9.62 s, mean 6.70 s (published samples without a prompt)",
        measure=f"{_SPEECH}:sequence_durations",
        rule=AllOf(Within("duration times event rate over 512", 1.0, 0.05), Above("longest over shortest", 1.1)),
        assets=_PROMPTS,
        note=_ONE_MODEL,
    ),
    Claim(
        id="C13",
        place="Authors' page of samples",
        statement="Samples with low entropy of an acoustic model are better.",
        paper="the best 32 of 512",
        rule=NotTestable("quality is a matter of listeners, or of models of them; the ranking itself is here"),
    ),
    Claim(
        id="C14",
        place="Authors' page of samples",
        statement="A null embedding in a tenth of the training serves conditional and unconditional generation.",
        paper="samples",
        measure=f"{_BASELINES}:conditions",
        rule=AllOf(
            Above("bits a second with no condition minus those with the right one", 0.0),
            Above("bits a second with a wrong condition minus those with the right one", 0.0),
        ),
        tier="full",
        assets=_PROMPTS,
        note="Languages of held-out prompts in place of books.",
    ),
    Claim(
        id="C15",
        place="Not in the paper",
        statement="At equal bits a variable rate is better than a fixed one.",
        paper="-",
        measure=f"{_CODECS}:rate_and_distortion",
        rule=AllOf(
            Below("bits a second over those of the VQ-VAE", 1.0),
            Below("log-mel distance minus that of the VQ-VAE", 0.0),
        ),
        tier="retrain",
        assets=_SPEECH_DATA,
        note="Files of events against 9 bits a code, on held-out English prompts; log-mel decoders.",
    ),
    Claim(
        id="X1",
        place="Not in the paper",
        statement="Quantised energies of four bands, without training, make more events in speech than in pauses.",
        paper="-",
        measure=f"{_SPEECH}:baseline_activity",
        rule=Above("rate in speech minus twice that in pauses", 0.0),
        assets=_SPEECH_DATA,
        note="The baseline of C1.",
    ),
    Claim(
        id="X2",
        place="Not in the paper",
        statement="Their events are near the boundaries of phones.",
        paper="-",
        measure=f"{_SPEECH}:baseline_phone_boundaries",
        rule=AllOf(Above("F1 minus that of even boundaries", 0.05), Above("F1 minus that of random boundaries", 0.05)),
        assets=_SENTENCES,
        note="The baseline of C2.",
    ),
    Claim(
        id="X3",
        place="Not in the paper",
        statement="Their event rate grows with the speaking rate.",
        paper="-",
        measure=f"{_SPEECH}:baseline_speaking_rates",
        rule=AllOf(
            Above("rank correlation of speaking rate and event rate", 0.999),
            Below("spread of events per phone over that of seconds per phone", 0.35),
        ),
        assets=_SENTENCES,
        note="The baseline of C3.",
    ),
    Claim(
        id="X4",
        place="Not in the paper",
        statement="Sequences of 512 of their events have durations that vary.",
        paper="-",
        measure=f"{_SPEECH}:baseline_sequence_durations",
        rule=AllOf(Within("duration times event rate over 512", 1.0, 0.05), Above("longest over shortest", 1.1)),
        assets=_SPEECH_DATA,
        note="The baseline of C12.",
    ),
    Claim(
        id="X5",
        place="Not in the paper",
        statement="At equal sequence length a Transformer of events takes fewer bits a second than one of the raster.",
        paper="-",
        measure=f"{_BASELINES}:raster_baseline",
        rule=Above("bits a second of the raster minus those of events", 0.0),
        tier="full",
        assets=_PROMPTS,
        note="192 events against 192 grid steps; held-out prompts in five languages.",
    ),
)
