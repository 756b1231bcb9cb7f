"""The claims of the paper, with the rules of their verdicts."""

from onepaper.claims import Above, AllOf, Below, Claim, Observation, PaperScale, Within

_TRAIN = "onepaper hares train --preset paper-{} --pool.path AUDIOSET"


def _exactly(**values: int) -> AllOf:
    return AllOf(*(Within(name.replace("_", " "), value, 0.5) for name, value in values.items()))


CLAIMS = (
    Claim(
        id="C1",
        place="paper: table 1",
        statement="HARES has twelve tasks in three domains.",
        paper="4 of environment, 5 of speech, 3 of music",
        measure="hares.experiments.published:suite",
        seeds=1,
        rule=_exactly(tasks=12, environment_tasks=4, speech_tasks=5, music_tasks=3, classes=2113),
        note="Whether the tasks as declared here have the paper's numbers of classes; nothing is measured on audio.",
    ),
    Claim(
        id="C2",
        place="paper: section 3.1, tables 2 and 4",
        statement="Systems specialised in speech do not transfer to the other domains.",
        paper="wav2vec 2.0: environment 48.5, speech 75.6, music 35.5; SF NFNet-F0: 75.8, 77.2, 68.6",
        rule=PaperScale(_TRAIN.format("simclr-slowfast-nfnet-f0")),
    ),
    Claim(
        id="C3a",
        place="paper: section 3.1, table 2",
        statement="SimCLR gives better embeddings of speech and music than supervised pre-training.",
        paper="speech +11.6 and music +4.1 for SF NFNet-F0; not for EfficientNet-B0 and CNN14",
        rule=PaperScale(
            f"{_TRAIN.format('simclr-slowfast-nfnet-f0')}; and --preset paper-supervised-slowfast-nfnet-f0"
        ),
    ),
    Claim(
        id="C3b",
        place="paper: section 3.1, table 2",
        statement="On environment the two are about equal.",
        paper="differences from -0.4 to +1.3; -7.3 for EfficientNet-B0, -8.2 for CNN14",
        rule=PaperScale(f"{_TRAIN.format('simclr-nfnet-f0')}; and --preset paper-supervised-nfnet-f0"),
    ),
    Claim(
        id="C4",
        place="paper: abstract, table 2",
        statement="How well SimCLR transfers depends on the architecture.",
        paper="HARES from 48.9 (CNN14) to 74.6 (SF NFNet-F0)",
        tier="full",
        measure="hares.experiments.pretraining:architectures",
        rule=Below("p of equal architectures", 0.05),
        note="Four networks of equal cost, 1/150 of the paper's, trained for 120 steps on the evaluated clips "
        "without labels; at the paper's size: " + _TRAIN.format("simclr-cnn14"),
    ),
    Claim(
        id="C5",
        place="paper: section 3.1",
        statement="Slowfast networks are equal to others on environment, and better on speech and music.",
        paper="NFNet-F0 and SF NFNet-F0: 76.0 and 75.8; 65.9 and 77.2; 65.5 and 68.6",
        rule=PaperScale(f"{_TRAIN.format('simclr-nfnet-f0')}; and --preset paper-simclr-slowfast-nfnet-f0"),
    ),
    Claim(
        id="C6a",
        place="paper: section 3.2, table 3",
        statement="Normalising each example is better than normalising over the batch in a Slowfast ResNet50.",
        paper="HARES: batch 71.7, none 71.9, layer 73.1, instance 73.5; on environment batch is best, 74.3",
        tier="full",
        measure="hares.experiments.pretraining:norms",
        rule=AllOf(Above("layer - batch, all", 0.0), Above("instance - batch, all", 0.0)),
        note="A small Slowfast ResNet, trained for 120 steps on the evaluated clips without labels; at the paper's "
        "size: " + _TRAIN.format("simclr-slowfast-resnet50") + " --encoder.norm layer",
    ),
    Claim(
        id="C6b",
        place="paper: table 3",
        statement="A network without normalisation trains faster.",
        paper="ms a step: none 131.1, batch 188.0, layer 203.7, instance 207.9",
        rule=PaperScale(f"{_TRAIN.format('simclr-slowfast-resnet50')} --encoder.norm none"),
    ),
    Claim(
        id="C7",
        place="paper: section 3.3, table 4",
        statement="Slowfast NFNet-F0 with SimCLR is best of the compared systems, overall and in every domain.",
        paper="74.6; Slowfast ResNet50 71.7, bidirectional CPC 67.6, BYOL-A 64.9",
        rule=PaperScale(_TRAIN.format("simclr-slowfast-nfnet-f0")),
    ),
    Claim(
        id="C8",
        place="paper: section 3.1",
        statement="The score on AudioSet goes with that on environment, and not with HARES.",
        paper="24 rows of tables 6 to 9",
        measure="hares.experiments.published:correlations",
        seeds=1,
        assets=("assets/data/published.csv",),
        rule=AllOf(
            Above("AudioSet and environment", 0.8),
            Below("AudioSet and hares", 0.5),
            Below("largest error of a printed mean", 0.0501),
        ),
        note="Spearman's correlation over the paper's own 24 rows; a printed mean differs by rounding, up to 0.05.",
    ),
    Claim(
        id="C9",
        place="paper: section 3.1",
        statement="SimCLR with the CNN of BYOL-A is better than BYOL-A.",
        paper="68.2 and 64.9",
        rule=PaperScale(_TRAIN.format("simclr-byola-cnn")),
    ),
    Claim(
        id="C10",
        place="paper: section 3.3",
        statement="Best result on MagnaTagATune from audio alone.",
        paper="39.5; CLMR 36.0",
        rule=PaperScale(_TRAIN.format("simclr-slowfast-nfnet-f0")),
    ),
    Claim(
        id="C11",
        place="paper: appendix B, table 5",
        statement="Slowfast NFNet-F0 has 63 million parameters.",
        paper="63 million; table 5 omits the final convolutions of the official code, which are among them",
        measure="hares.experiments.architecture:sizes",
        seeds=1,
        rule=AllOf(
            Within("slowfast-nfnet-f0 parameters", 62_970_654, 0.5), Within("slowfast-nfnet-f0 embedding", 3456, 0.5)
        ),
        note="The exact number is that of the official code.",
    ),
    Claim(
        id="X1",
        place="not in the paper",
        statement="The shipped network on mini-HARES, beside an untrained one and log-mel statistics.",
        paper="-",
        measure="hares.experiments.mini:compare",
        seeds=1,
        assets=("assets/data/SHA256SUMS", "assets/weights/simclr/SHA256SUMS"),
        rule=Observation(),
        note="Differences are paired by clip; the interval is over groups (recordings, languages, instruments).",
    ),
)
