"""Bits come back, at a cost near their entropy, and the bytes are always the same."""

import numpy as np
import pytest

from slowae_rlt.events.range_coder import RangeDecoder, RangeEncoder, code_number, new_model


@pytest.mark.parametrize("probability", [0.5, 0.9, 0.999, 0.0])
def test_round_trip_and_size(probability: float) -> None:
    bits = (np.random.default_rng(0).random(20_000) < probability).astype(int).tolist()
    encoder, model = RangeEncoder(), new_model(3)
    for index, bit in enumerate(bits):
        encoder.encode(model, index % 3, bit)
    data = encoder.finish()
    decoder, model = RangeDecoder(data), new_model(3)
    assert [decoder.decode(model, index % 3) for index in range(len(bits))] == bits
    p = min(max(probability, 1e-12), 1 - 1e-12)
    entropy = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    assert 8 * len(data) <= len(bits) * (1.08 * entropy + 0.025) + 100


def test_numbers() -> None:
    numbers = np.random.default_rng(1).integers(0, 16, 500).tolist()
    encoder, model = RangeEncoder(), new_model(16)

    def encode(model: list[int], context: int, bit: int) -> int:
        encoder.encode(model, context, bit)
        return bit

    assert [code_number(encode, model, 0, 4, number) for number in numbers] == numbers
    decoder, model = RangeDecoder(encoder.finish()), new_model(16)
    assert [code_number(lambda m, c, _: decoder.decode(m, c), model, 0, 4) for _ in numbers] == numbers


def test_bytes_are_fixed() -> None:
    """A change of this string would make existing files unreadable."""
    encoder, model = RangeEncoder(), new_model(2)
    for index in range(100):
        encoder.encode(model, index % 2, int(index % 7 < 3))
    assert encoder.finish().hex() == EXPECTED


EXPECTED = "df7bfb6ca7a8418b493c90ff474ea10e"
