"""The claims of the paper, how each is measured here, and the rule of its verdict."""

from onepaper.claims import Above, AllOf, Below, Claim, NotTestable, PaperScale, Within

_ORACLES, _VOICES = "audio_datasets.experiments.oracles", "audio_datasets.experiments.voices"

_SUMS = ("assets/data/SHA256SUMS",)
_TASK = "onepaper audio-datasets evaluate --task"


def _check(name: str) -> PaperScale:
    return PaperScale(f"onepaper audio-datasets data check {name} --root FOLDER")


CLAIMS = (
    Claim(
        id="C1",
        place="Paper, section 2.1 and table 1",
        statement="Hume-Prosody has 41 hours of speech by 1,004 speakers.",
        paper="41:48:55 h, 1,004 speakers",
        rule=_check("hume-prosody"),
    ),
    Claim(
        id="C2",
        place="Paper, section 2.2 and table 2",
        statement="The splits of Hume-VocalBurst sum to its 59,201 clips.",
        paper="19,990 + 19,396 + 19,815 = 59,201",
        measure=f"{_ORACLES}:split_sums",
        rule=Within("clips of the splits minus clips", 0.0, 0.5),
        note="The arithmetic of the published numbers. The rest: `onepaper audio-datasets data check "
        "hume-vocalburst --root FOLDER`.",
    ),
    Claim(
        id="C3",
        place="Paper, section 2.2",
        statement="Vocal bursts have 85.2 raters on average; ratings are scaled to 0 to 1.",
        paper="85.2 raters",
        rule=_check("hume-vocalburst"),
    ),
    Claim(
        id="C4",
        place="Paper, section 2.3 and table 3",
        statement="Modulate-Sonata has more than 6 hours by 23 actors in 15 roles and 25 classes.",
        paper="> 6 h, 23 actors, 15 roles, 25 classes",
        rule=_check("modulate-sonata"),
    ),
    Claim(
        id="C5",
        place="Paper, section 2.4 and table 4",
        statement="Modulate-Stream has about 7,000 hours of 940 players.",
        paper="7,000 h, 379 GB, 940 players, 2,839 sessions",
        rule=_check("modulate-stream"),
    ),
    Claim(
        id="C6",
        place="Paper, section 3.2 and table 5",
        statement="On Hume-Prosody, fine-tuned wav2vec2 features with support vectors are better than late fusion.",
        paper="mean rho 0.514 and 0.476",
        rule=PaperScale(
            f"{_TASK} prosody-9 --root FOLDER --bank compare encoder --encoder.folders ENCODER --fusion late"
        ),
        note="ENCODER is the folder of a fine-tuned wav2vec2, as transformers saves it. Without `compare` and "
        "`--fusion late` the same command scores its features alone. `--bank stored --stored FOLDER/features/opensmile "
        "FOLDER/features/audeep FOLDER/features/deepspectrum --fusion late` fuses the features of the release. Test "
        "labels are blind.",
    ),
    Claim(
        id="C7",
        place="Paper, section 3.4 and table 7",
        statement="Baselines of the four A-VB tasks.",
        paper="ComParE 0.521, 0.499, 0.380, 0.384; end to end 0.569, 0.508, 0.440, 0.417 (High, Two, Culture, Type)",
        rule=PaperScale("onepaper audio-datasets train --preset paper-end-to-end-high --data.root FOLDER"),
        note="`evaluate --task avb-high --root FOLDER --weights RUN` scores the run, and `evaluate --task avb-high "
        "--root FOLDER --bank compare --baseline network` the baseline on ComParE features, with `--bank stored "
        "--stored FOLDER/features/ComParE` on those of the release; the other three tasks are called alike.",
    ),
    Claim(
        id="C8",
        place="Paper, section 3.3 and table 8a",
        statement="The multitask baseline scores 0.335, the best system 0.435.",
        paper="S_MTL 0.335, 0.435",
        rule=PaperScale(f"{_TASK} exvo-multitask --root FOLDER --bank egemaps --baseline network"),
        note="On a copy of ExVo, the release with ages and countries. Test labels are blind.",
    ),
    Claim(
        id="C9",
        place="Paper, section 3.3 and table 8b",
        statement="The generation baseline scores 0.174, the best system 0.408.",
        paper="S_GEN 0.174, 0.408",
        rule=NotTestable("The score needs ratings of generated samples by people."),
    ),
    Claim(
        id="C10",
        place="Paper, section 3.3 and table 8c",
        statement="The few-shot baseline reaches a CCC of 0.444, the best system 0.739.",
        paper="mean CCC 0.444, 0.739",
        rule=PaperScale("onepaper audio-datasets train --preset paper-few-shot --data.root FOLDER"),
        note="`evaluate --task exvo-few-shot --root FOLDER --weights RUN` then adapts the network to two clips of each "
        "speaker and scores the others. Speakers of the test split are blind.",
    ),
    Claim(
        id="C11",
        place="Paper, section 3.4 and table 9",
        statement="The best systems of A-VB.",
        paper="0.736 (High), 0.707 (Two), 0.620 (Culture), 0.586 (Type)",
        rule=NotTestable("Systems of other teams, evaluated by the organisers on blind labels."),
    ),
    Claim(
        id="C12",
        place="Paper, section 3.7 and table 10",
        statement="On Modulate-Sonata, early fusion of wav2vec2 and HuBERT is better than either.",
        paper="UAR on test 0.85 (wav2vec2), 0.86 (HuBERT), 0.90 (both)",
        rule=PaperScale(
            f"{_TASK} sonata-25 --root FOLDER --split test --baseline linear --bank encoder --encoder.folders ENCODER "
            "ENCODER"
        ),
        note="The two are wav2vec2 and HuBERT; with one folder, its features alone are scored. FOLDER has a manifest "
        "with a split of your own, since that of the paper is not published: `evaluate` says how many speakers are in "
        "several splits.",
    ),
    Claim(
        id="C13",
        place="Paper, sections 2.1 and 2.2",
        statement="Splits are independent of the speaker.",
        paper="stated",
        measure=f"{_VOICES}:speaker_leakage",
        rule=AllOf(
            Below("voices in several splits", 0.5),
            Below("groups in several splits", 0.5),
            Below("groups in several folds", 0.5),
            Below("byte-identical copies", 0.5),
            Within("leaks found where one is planted", 1.0, 0.5),
        ),
        assets=_SUMS,
        note="On the shipped clips of the default set; `data check` measures it on a copy of the paper's sets.",
    ),
    Claim(
        id="C14",
        place="Paper, section 3.4 and table 7",
        statement="A network on raw audio is better than one on hand-made features.",
        paper="+0.048 (High), +0.009 (Two), +0.060 (Culture), +0.033 (Type)",
        measure=f"{_VOICES}:end_to_end_against_features",
        rule=AllOf(Above("UAR, end to end minus functionals", 0.0), Above("UAR, end to end", 0.33)),
        seeds=5,
        assets=(*_SUMS, "assets/weights/hedgewars/SHA256SUMS"),
        note="On eight classes of the default set with 251 training clips, where the paper has 19,990. The network on "
        "raw audio is the shipped one, those on functionals are trained for every seed; intervals are over clips of "
        "three voices. 0.33 is what eGeMAPS with linear support vectors reaches on the whole default set.",
    ),
    Claim(
        id="X1",
        place="not in the paper",
        statement="CCC agrees with closed forms for affine maps and, in the official variant, for equal vectors.",
        paper="-",
        measure=f"{_ORACLES}:concordance",
        rule=AllOf(Below("largest error, affine maps", 1e-12), Below("largest error, official variant", 1e-12)),
        seeds=5,
    ),
    Claim(
        id="X2",
        place="not in the paper",
        statement="UAR is a weighted mean of correct answers; rank correlation is 1 for monotonic maps.",
        paper="-",
        measure=f"{_ORACLES}:recall_and_ranks",
        rule=AllOf(Below("error of the weighted mean", 1e-12), Below("error of the rank correlation", 1e-12)),
        seeds=5,
    ),
    Claim(
        id="X3",
        place="Paper, eq. 1",
        statement="The multitask score of equal parts is their value.",
        paper="a definition",
        measure=f"{_ORACLES}:multitask",
        rule=Below("error at CCC = UAR = 1/MAE = 0.5", 1e-12),
    ),
    Claim(
        id="X4",
        place="Paper, eq. 4",
        statement="The parts of the generation score agree with closed forms.",
        paper="definitions",
        measure=f"{_ORACLES}:generation",
        rule=AllOf(Below("error of the distance", 1e-8), Below("error of the precision", 1e-12)),
        seeds=5,
    ),
    Claim(
        id="X5",
        place="not in the paper",
        statement="Open functionals recognise eight classes of unheard voices far better than chance, which is 0.125.",
        paper="-",
        measure=f"{_VOICES}:open_features",
        rule=Above("UAR", 0.30),
        assets=_SUMS,
        note="Support vectors over five folds of voices.",
    ),
)
