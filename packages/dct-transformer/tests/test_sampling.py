"""Samples follow the network, and keep what is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import TINY, random_network
from onepaper.errors import UsageError

from dct_transformer.config import ChunkConfig, SamplingOptions
from dct_transformer.data.chunks import dense
from dct_transformer.data.examples import image_example
from dct_transformer.models.dct_transformer import DCTransformer
from dct_transformer.representation.codec import layout_for
from dct_transformer.sampling import draw_images, known_bands, known_luma, known_region, pixels, sample, truncate


def test_lists_are_legal_and_repeat(untrained: DCTransformer) -> None:
    lists = sample(untrained, 6, seed=1)
    again = sample(untrained, 2, seed=1)
    for triples in lists:
        layout_for(TINY).check(triples)
    for first, second in zip(lists, again, strict=False):
        for before, after in zip(first, second, strict=True):
            np.testing.assert_array_equal(before, after)
    assert draw_images(untrained, 2, seed=1)[0].shape == (16, 16, 3)


def test_samples_follow_the_likelihood() -> None:
    # A network whose lists are short, in chunks of two: frequencies of the lists against their exact probabilities.
    from dct_transformer.data.chunks import make_example
    from dct_transformer.evaluation.exact_likelihood import likelihood

    config = replace(TINY, chunk=ChunkConfig(2, 1), value_limit=1)
    model = random_network(config, seed=2)
    with torch.no_grad():
        model.channel_head[1].bias.fill_(-6)
        model.channel_head[1].bias[0] = 1
        model.channel_head[1].bias[48] = 3
        model.position_head[1].bias.fill_(-4)
        model.position_head[1].bias[:3] = 0
    count = 3000
    lists = sample(model, count, seed=0)
    names = [tuple(map(tuple, triples)) for triples in lists]
    found, examples = {}, {}
    for name, triples in zip(names, lists, strict=True):
        found[name] = found.get(name, 0) + 1
        examples[name] = make_example(triples, 0, config)
    probabilities = np.exp2(-likelihood(model, list(examples.values())).bits)
    frequencies = np.array([found[name] / count for name in examples])
    common = probabilities > 0.004
    assert common.sum() >= 5
    errors = (frequencies - probabilities)[common] / np.sqrt(
        probabilities[common] * (1 - probabilities[common]) / count
    )
    assert np.abs(errors).max() < 4
    assert np.square(errors).mean() < 2.5


@pytest.mark.parametrize("task", ["bands", "luma", "region"])
def test_known_coefficients_are_kept(task: str, untrained: DCTransformer, picture: np.ndarray) -> None:
    example = image_example(picture, 0, TINY)
    missing = np.zeros((16, 16), bool)
    missing[:, 8:] = True
    known = {
        "bands": known_bands(untrained, example.triples, 1),
        "luma": known_luma(untrained, example.triples),
        "region": known_region(untrained, example.triples, missing),
    }[task]
    layout = layout_for(TINY)
    original = dense(example.triples, layout)
    differs = False
    for triples in sample(untrained, 4, known=[known] * 4, seed=3):
        layout.check(triples)
        image = dense(triples, layout)
        np.testing.assert_array_equal(image[~known.free], original[~known.free])
        differs |= bool((image != original)[known.free].any())
    assert differs


def test_options() -> None:
    probabilities = torch.tensor([[0.4, 0.3, 0.2, 0.1]])
    torch.testing.assert_close(truncate(probabilities, top_k=2), torch.tensor([[0.4, 0.3, 0, 0]]))
    assert (truncate(probabilities, top_p=0.65) > 0).tolist() == [[True, True, False, False]]
    assert (truncate(probabilities, top_p=0.75) > 0).tolist() == [[True, True, True, False]]


def test_limits_and_previews(untrained: DCTransformer) -> None:
    seen = []
    lists = sample(untrained, 3, SamplingOptions(max_triples=5), preview=lambda chunks, lists: seen.append(chunks))
    assert all(triples.length <= 5 for triples in lists)
    assert seen == [1]


def test_guidance_of_one_is_the_conditional_network() -> None:
    model = random_network(replace(TINY, classes=3))
    plain = sample(model, 3, seed=5, labels=[0, 1, 2])
    guided = sample(model, 3, SamplingOptions(guidance=1.0 + 1e-12), seed=5, labels=[0, 1, 2])
    for first, second in zip(plain, guided, strict=True):
        np.testing.assert_array_equal(first.values, second.values)
    assert sample(model, 2, SamplingOptions(guidance=3.0), labels=[0, 1])


def test_trained_conditions(picture: np.ndarray) -> None:
    config = replace(TINY, condition="luma")
    model, example = random_network(config), image_example(picture, 0, config)
    triples = sample(model, 1, given=[example.given])[0]
    assert (triples.channels >= 16).all()
    assert pixels(model, triples, example.given).shape == (16, 16, 3)
    config = replace(TINY, condition="low-resolution")
    example = image_example(picture, 0, config)
    assert example.hint is not None
    assert len(sample(random_network(config), 1, hints=[example.hint])) == 1


def test_wrong_conditions_are_refused(untrained: DCTransformer, picture: np.ndarray) -> None:
    known = known_luma(untrained, image_example(picture, 0, TINY).triples)
    for arguments, expected in (
        ({"labels": [0]}, "label is 0"),
        ({"known": [known, known]}, "known has 2 entries, expected 1"),
        ({"given": [known.triples]}, "takes no given luma"),
        ({"options": SamplingOptions(guidance=2.0)}, "needs labels"),
    ):
        with pytest.raises(UsageError, match=expected):
            sample(untrained, 1, **arguments)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="the mask has shape"):
        known_region(untrained, known.triples, np.zeros((4, 4), bool))
    broken = random_network(TINY)
    with torch.no_grad():
        broken.begin.fill_(torch.nan)
    with pytest.raises(UsageError, match="logits of triple 0 are not finite"):
        sample(broken, 1)
