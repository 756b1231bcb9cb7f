"""Exact probabilities, causality, chunks, saving."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import TINY, random_network
from onepaper.data import map_arrays
from onepaper.errors import UsageError

from dct_transformer.config import ChunkConfig, CodecConfig
from dct_transformer.data.chunks import Chunk, make_chunks, make_example
from dct_transformer.data.examples import image_example
from dct_transformer.evaluation.exact_likelihood import likelihood
from dct_transformer.models import dct_transformer as module
from dct_transformer.models.dct_transformer import DCTransformer, masked_nats
from dct_transformer.representation.triples import Triples


def tensors(chunk: Chunk) -> Chunk:
    return map_arrays(torch.as_tensor, chunk)


@pytest.mark.parametrize("order", ["bands", "blocks"])
def test_probabilities_of_all_lists_sum_to_one(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Four positions and two channels with values -1 and 1: 3^8 lists, in chunks of three triples.
    codec = CodecConfig(block=2, subsampling="4:4:4", order=order)  # type: ignore[arg-type]
    config = replace(TINY, height=4, width=4, codec=codec, chunk=ChunkConfig(3, 2), value_limit=1, dim=16, scale=2)
    listed = np.isin(np.arange(12), (0, 5))
    monkeypatch.setattr(module, "listed_channels", lambda config: listed)
    model = random_network(config)
    places = list(itertools.product((0, 5), range(4)))
    examples = []
    for values in itertools.product((-1, 0, 1), repeat=8):
        rows = [(c, p, v) for (c, p), v in zip(places, values, strict=True) if v]
        if order == "blocks":
            rows.sort(key=lambda row: (row[1], row[0]))
        triples = Triples(*np.array(rows, np.int32).reshape(-1, 3).T)
        examples.append(make_example(triples, 0, config))
    bits = likelihood(model, examples, batch=2048).bits
    assert len(bits) == 3**8
    assert np.exp2(-bits).sum() == pytest.approx(1, abs=1e-4)


def test_the_decoders_are_causal(untrained: DCTransformer, picture: np.ndarray) -> None:
    example = image_example(picture, 0, TINY)
    chunk = tensors(make_chunks([example], [0], TINY))
    before = untrained(chunk)
    values = chunk.values.clone()
    values[0, 5] = 1 + values[0, 5] % 3  # another value
    after = untrained(chunk._replace(values=values))
    torch.testing.assert_close(after.channels[:, :6], before.channels[:, :6])
    torch.testing.assert_close(after.positions[:, :6], before.positions[:, :6])
    torch.testing.assert_close(after.values[:, :5], before.values[:, :5])
    assert not torch.allclose(untrained(chunk._replace(values=-chunk.values)).channels[:, 1:], before.channels[:, 1:])


def test_each_factor_depends_on_what_it_is_conditioned_on(untrained: DCTransformer, picture: np.ndarray) -> None:
    memory = untrained.encode(*(torch.as_tensor(array) for array in (np.zeros((1, 16, 48), int), [-1], [0])))
    h = torch.randn(1, 1, 32)
    first, second = (untrained.decode_positions(h, torch.tensor([[c]]), memory) for c in (0, 1))
    assert not torch.allclose(first, second)
    first, second = (untrained.decode_values(h, torch.tensor([[0]]), torch.tensor([[p]]), memory) for p in (0, 5))
    assert not torch.allclose(first, second)


def test_one_chunk_equals_many_without_the_encoder(picture: np.ndarray) -> None:
    # The overlap of the second chunk is all of the first, so that the decoders see the same.
    config = replace(TINY, encoder_input=False, chunk=ChunkConfig(64, 0))
    model = random_network(config)
    other = DCTransformer(replace(config, chunk=ChunkConfig(32, 32))).eval()
    other.load_state_dict(model.state_dict())
    example = image_example(picture, 0, config)
    example = example._replace(triples=example.triples[:40])
    whole = model(tensors(make_chunks([example], [0], model.config)))
    parts = other(tensors(make_chunks([example] * 2, [0, 1], other.config)))
    assert float(parts.total().sum()) == pytest.approx(float(whole.total().sum()), rel=1e-5)


def test_padding_has_finite_gradients(picture: np.ndarray) -> None:
    model = random_network(TINY)
    example = image_example(picture, 0, TINY)
    model(tensors(make_chunks([example._replace(triples=example.triples[:0])], [0], TINY))).total().sum().backward()
    assert all(p.grad is None or bool(p.grad.isfinite().all()) for p in model.parameters())


def test_masked_nats_by_hand() -> None:
    logits = torch.tensor([[[1.0, 2.0, 3.0]]])
    legal = torch.tensor([[[True, False, True]]])
    counted = torch.tensor([[True]])
    found = masked_nats(logits, legal, torch.tensor([[0]]), counted)
    assert float(found) == pytest.approx(math.log(1 + math.exp(2)))
    assert float(masked_nats(logits, legal & False, torch.tensor([[9]]), ~counted)) == 0


def test_stride_and_hints(picture: np.ndarray) -> None:
    config = replace(TINY, stride=3, condition="low-resolution")
    model = random_network(config)
    chunk = tensors(make_chunks([image_example(picture, 0, config)], [0], config))
    assert model.tokens_grid == (2, 2)
    assert bool(model(chunk).total().isfinite().all())
    with pytest.raises(UsageError, match="give its DCT image"):
        model(chunk._replace(hint=None))


def test_parameter_count() -> None:
    d, channels, positions, values = 32, 48, 16, 2 * DCTransformer(TINY).legality.limit
    norm, attention, feed_forward = 2 * d, 4 * d * d + 4 * d, 8 * d * d + 5 * d
    encoder = (norm + attention + 1) + (norm + feed_forward + 1)
    decoder = 2 * (norm + attention + 1) + (norm + feed_forward + 1)
    embeddings = d * (channels + positions + values + TINY.chunk.length + 24 + 4 + 4 + 1) + 2 * channels * d + d
    heads = sum(norm + d * size + size for size in (channels + 1, positions, values))
    expected = encoder + 3 * decoder + embeddings + heads + norm
    assert sum(p.numel() for p in DCTransformer(TINY).parameters()) == expected
