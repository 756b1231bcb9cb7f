"""The claims of the paper, how each is measured here, and the rule of its verdict."""

from pathlib import Path

from onepaper.claims import Above, AllOf, Below, Claim, Greater, PaperScale, Within

_CODEC, _COSTS = "dct_transformer.experiments.codec", "dct_transformer.experiments.costs"
_SHIPPED, _TRAININGS = "dct_transformer.experiments.shipped", "dct_transformer.experiments.trainings"

_FOLDER = Path(__file__).parent
_DATA = tuple(sorted(path.relative_to(_FOLDER).as_posix() for path in _FOLDER.glob("assets/data/photographs/*")))
_WEIGHTS = (
    *sorted(path.relative_to(_FOLDER).as_posix() for path in _FOLDER.glob("assets/weights/*/*")),
    "assets/data/stamps.tar",
)

CLAIMS = (
    Claim(
        id="C1",
        place="Paper, abstract and figure 2",
        statement="Lists of quantised coefficients are much shorter than the pixel values, and their length follows "
        "the content.",
        paper="about 10,000 triples for 192 x 192 x 3 values at a quality near 60",
        measure=f"{_CODEC}:lengths",
        rule=AllOf(
            Below("largest share of the pixel values", 0.15), Above("smallest ratio of longest to shortest", 2.0)
        ),
        seeds=1,
        assets=_DATA,
        note="Photographs at 192 and 256 pixels, qualities 50 and 60. One computation without randomness.",
    ),
    Claim(
        id="C2",
        place="Paper, figure 2g",
        statement="Every prefix of a list decodes to an image, and longer prefixes are nearer to the complete image.",
        paper="pictures of six prefixes",
        measure=f"{_CODEC}:prefixes",
        rule=AllOf(Above("photographs", 19), Above("smallest rank correlation of length and PSNR", 0.95)),
        seeds=1,
        assets=_DATA,
        note="Twenty prefixes of each photograph, without randomness. In pictures of green leaves the PSNR of RGB "
        "falls a little while luma means are listed and chroma is still grey.",
    ),
    Claim(
        id="C3",
        place="Paper, figure 1",
        statement="The network adds coefficients where the picture has detail.",
        paper="heat maps",
        measure=f"{_SHIPPED}:where_detail_is",
        rule=AllOf(Above("rank correlation", 0.5), Within("rank correlation, shuffled positions", 0.0, 0.1)),
        seeds=5,
        assets=_WEIGHTS,
        note="Luma coefficients of a block but its mean, against the gradients of its pixels, ranked within each "
        "picture: a first measurement ranked those of all pictures together, where shuffled positions correlated, too "
        "(0.22), because pictures differ in their detail. Each seed draws 64 pictures from the one network that ships.",
    ),
    Claim(
        id="C4",
        place="Paper, section 3",
        statement="With chunks of fixed length the cost of the decoders does not depend on the resolution.",
        paper="a property of the method",
        measure=f"{_COSTS}:decoder_flops",
        rule=Below("relative variation of the decoders' FLOPs", 0.1),
        seeds=1,
        note="Counted operations of a forward pass at 32 to 256 pixels, with 16 tokens of the encoder at each.",
    ),
    Claim(
        id="C5",
        place="Paper, section 3",
        statement="The encoder of the partial image carries what the chunk does not show.",
        paper="a property of the method",
        measure=f"{_TRAININGS}:encoder_context",
        rule=Above("ratio", 1.05),
        tier="full",
        note="Two trainings of 1000 steps for each seed, in chunks of 32 triples with an overlap of 4.",
    ),
    Claim(
        id="C6",
        place="Paper, results on LSUN bedrooms",
        statement="Unconditional samples are competitive, with the highest recall.",
        paper="FID 6.40, sFID 6.66, precision 0.44, recall 0.56",
        rule=PaperScale("onepaper dct-transformer train --preset paper-lsun --data.path FOLDER"),
    ),
    Claim(
        id="C7",
        place="Paper, results on ImageNet",
        statement="A class-conditional network uses its class.",
        paper="FID 36.51, sFID 8.24, precision 0.36, recall 0.67",
        measure=f"{_SHIPPED}:classes_help",
        rule=Above("bits saved by the class", 0.0),
        seeds=1,
        assets=_WEIGHTS,
        note="A small analogue: held-out stamps with and without their class under one network. The numbers of the "
        "paper need `paper-imagenet`.",
    ),
    Claim(
        id="C8",
        place="Paper, results on LSUN churches",
        statement="Samples of churches.",
        paper="FID 7.56",
        rule=PaperScale("onepaper dct-transformer train --preset paper-lsun --data.path FOLDER"),
    ),
    Claim(
        id="C9",
        place="Paper, results on FFHQ",
        statement="Samples of faces.",
        paper="FID 13.06",
        rule=PaperScale("onepaper dct-transformer train --preset paper-ffhq --data.path FOLDER"),
    ),
    Claim(
        id="C10",
        place="Paper, abstract",
        statement="With luma given, the network colours pictures.",
        paper="pictures",
        measure=f"{_TRAININGS}:colors_of_luma",
        rule=Below("bits relative to the better count model", 1.0),
        tier="full",
        note="Chroma of held-out stamps under networks of the preset laptop-16-colorize, one training for each seed. "
        "Likelihoods, not ratings of colours.",
    ),
    Claim(
        id="C11",
        place="Paper, abstract",
        statement="With a low-resolution version given, the network adds detail.",
        paper="pictures",
        measure=f"{_TRAININGS}:low_resolution_helps",
        rule=Greater("bits a triple, alone", "bits a triple, low resolution given"),
        tier="full",
        note="Held-out stamps under networks of the preset laptop-16-upscale, 1000 steps each, with and without the "
        "low-resolution version. Likelihoods, not ratings of detail.",
    ),
    Claim(
        id="C12",
        place="Paper, evaluation",
        statement="Spatial FID is sensitive to the arrangement of a picture, where FID is not.",
        paper="sFID beside FID in the tables",
        measure="dct_transformer.experiments.arrangement:distance_of_shuffled",
        rule=Greater("factor of the spatial distance", "factor of the pooled distance"),
        seeds=5,
        assets=("assets/data/stamps.tar",),
        note="Frechet distances of wavelet features, pooled and spatial, in place of those of a trained network: "
        "factors by which that of half of the stamps from the other half grows when tiles are shuffled.",
    ),
    Claim(
        id="C13",
        place="Paper, section 1",
        statement="The method scales to high resolutions.",
        paper="samples of OpenImages",
        measure=f"{_COSTS}:large_step",
        rule=Below("peak memory", 4.0),
        seeds=1,
        alone=True,
        note="Memory of one training step on a photograph of 1024 x 1024 pixels, a network of 128 channels.",
    ),
    Claim(
        id="X1",
        place="not in the paper",
        statement="Coefficients are those of libjpeg.",
        paper="-",
        measure=f"{_CODEC}:libjpeg_agreement",
        rule=AllOf(
            Above("smallest part of equal coefficients", 0.97),
            Below("largest difference", 1.5),
            Above("files equal after writing and reading", 0.5),
        ),
        seeds=1,
        assets=_DATA,
        note="Pixels encoded here and by Pillow at quality 75; and its files read, written and read again.",
    ),
    Claim(
        id="X2",
        place="not in the paper",
        statement="The network needs fewer bits for held-out pictures than counts of triples and pairs of triples.",
        paper="-",
        measure=f"{_SHIPPED}:against_counts",
        rule=Below("bits relative to the better count model", 0.85),
        seeds=1,
        assets=_WEIGHTS,
        note="One network, all held-out stamps.",
    ),
    Claim(
        id="X3",
        place="not in the paper",
        statement="A network of lists of triples needs fewer bits for a coded picture than one of its pixels, and "
        "than one of the bytes of its JPEG file.",
        paper="-",
        measure="dct_transformer.experiments.baselines:bits_of_pictures",
        rule=AllOf(Above("bits saved against pixels", 0.0), Above("bits saved against JPEG bytes", 0.0)),
        tier="full",
        seeds=1,
        assets=("assets/data/stamps.tar",),
        note="Small Transformers of 64 channels, each trained for 500 steps of 16 stamps of 16 x 16 pixels with the "
        "same changes; held-out stamps, quality 50. Pixels, bytes and lists are of the same coded pictures. The codes "
        "of an autoencoder are of pictures with another error, so that their bits do not compare.",
    ),
)
