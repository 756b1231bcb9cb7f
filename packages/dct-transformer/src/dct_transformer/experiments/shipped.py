"""Claims that are measured on the network that ships."""

import functools
from typing import NamedTuple

import numpy as np
from onepaper.claims import ClaimContext, Evidence, ImageGrid, Measurement, Table
from scipy.stats import spearmanr

from dct_transformer.config import DataConfig
from dct_transformer.data.chunks import Example
from dct_transformer.data.examples import centre_examples
from dct_transformer.data.images import open_images
from dct_transformer.evaluation.exact_likelihood import likelihood
from dct_transformer.evaluation.heat_maps import detail_counts, heat_map
from dct_transformer.models.counts import CountModel
from dct_transformer.models.dct_transformer import DCTransformer
from dct_transformer.pretrained.networks import open_network
from dct_transformer.representation.codec import layout_for
from dct_transformer.representation.transform import rgb_to_ycbcr
from dct_transformer.sampling import pixels, sample

SAMPLES = 64
# Of the control, for each picture.
SHUFFLES = 8


class Setting(NamedTuple):
    """The network with the images that it was trained on, and those held out."""

    model: DCTransformer
    training: list[Example]
    held_out: list[Example]


@functools.cache
def setting() -> Setting:
    """The shipped network and its data."""
    model = open_network()
    images = open_images(DataConfig(), model.config.height, model.config.width)
    parts = (centre_examples(images.part(held_out=held_out), model.config) for held_out in (False, True))
    return Setting(model, *parts)


def against_counts(context: ClaimContext) -> Evidence:
    """Bits a triple of held-out images, of the network and of count models."""
    model, training, held_out = setting()
    lists = [example.triples for example in held_out]
    found = {"network": likelihood(model, held_out)}
    for name, order in (("unigram", 1), ("bigram", 2)):
        found[name] = CountModel(model.config, order).fit([example.triples for example in training]).likelihood(lists)
    summaries = {name: result.summary(model.config) for name, result in found.items()}
    keys = ("bits_per_image", "bits_per_triple", "channel_bits", "position_bits", "value_bits")
    rows = [(name, *(f"{row[key]:.3f}" for key in keys)) for name, row in summaries.items()]
    best = min(summaries[name]["bits_per_triple"] for name in ("unigram", "bigram"))
    return Evidence(
        "",
        [Measurement.exact("bits relative to the better count model", summaries["network"]["bits_per_triple"] / best)],
        [Table(f"{len(held_out)} held-out stamps", ("model", *(key.replace("_", " ") for key in keys)), rows)],
    )


def classes_help(context: ClaimContext) -> Evidence:
    """Saving in bits of each held-out image when its class is given, by the same network."""
    model, _, held_out = setting()
    hidden = [example._replace(label=model.config.classes) for example in held_out]
    saved = likelihood(model, hidden).bits - likelihood(model, held_out).bits
    return Evidence("", [Measurement.over_examples("bits saved by the class", saved)])


def where_detail_is(context: ClaimContext) -> Evidence:
    """Whether sampled positions are where the sampled picture has edges, against shuffled positions."""
    model = setting().model
    correlations, controls, shown = dict[int, float](), dict[int, float](), []
    for seed in context.seeds:
        lists = sample(model, SAMPLES, seed=seed)
        pictures = [pixels(model, triples) for triples in lists]
        counts = [detail_counts(model.config, triples) for triples in lists]
        edges = [gradient_energy(model, picture) for picture in pictures]
        correlations[seed] = rank_correlation(counts, edges)
        generator = np.random.default_rng(seed)
        shuffled = [rank_correlation([generator.permutation(row) for row in counts], edges) for _ in range(SHUFFLES)]
        controls[seed] = float(np.mean(shuffled))
        if seed == context.seeds[0]:
            shown = [*pictures[:8], *(heat_map(model.config, row) for row in counts[:8])]
    return Evidence(
        "",
        [
            Measurement.over_seeds("rank correlation", correlations),
            Measurement.over_seeds("rank correlation, shuffled positions", controls),
        ],
        [ImageGrid("Samples, and the number of their coefficients by block", np.stack(shown) / 255, upscale=4)],
    )


def rank_correlation(counts: list[np.ndarray], edges: list[np.ndarray]) -> float:
    """Mean over pictures of Spearman's correlation over the blocks of one.

    Over the blocks of all pictures together it would also reflect that some pictures have more detail than others, even
    with shuffled positions. Pictures whose blocks are all alike have no ranks and are left out.
    """
    varied = [pair for pair in zip(counts, edges, strict=True) if min(map(np.ptp, pair)) > 0]
    found = [np.asarray(spearmanr(own, other)[0]) for own, other in varied]
    return float(np.mean(found))


def gradient_energy(model: DCTransformer, picture: np.ndarray) -> np.ndarray:
    """Mean squared difference of neighbouring luma pixels within each block."""
    block, (rows, columns) = model.config.codec.block, layout_for(model.config).grid
    luma = rgb_to_ycbcr(picture)[0].astype(float)
    down, across = np.gradient(luma)
    energy = down**2 + across**2
    return energy.reshape(rows, block, columns, block).mean(axis=(1, 3)).ravel()
