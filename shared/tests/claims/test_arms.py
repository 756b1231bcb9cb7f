"""Results of arms as files: every kind of value comes back bit by bit, without pickles, in files of sensible size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, scalar_dtypes

from onepaper.claims import ClaimContext
from onepaper.claims.arms import plain_arm, read_arm, write_arm
from onepaper.claims.evidence import Cost
from onepaper.errors import UsageError

NUMBERS = scalar_dtypes().filter(lambda dtype: dtype.kind in "biufc")
ARRAYS = arrays(NUMBERS, array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3))
LEAVES = (
    st.text()
    | st.binary()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.complex_numbers(allow_nan=False)
    | ARRAYS
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


def assert_same(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, np.ndarray):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert found.tobytes() == expected.tobytes()
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for name in expected:
            assert_same(found[name], expected[name])
    else:
        assert found == expected or (found != found and expected != expected)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters="\0/")), VALUES))
def test_every_value_comes_back(tmp_path_factory, result):
    path = tmp_path_factory.mktemp("arms") / "x.npz"
    plain = plain_arm("x", result)
    write_arm(path, plain, Cost(2.5, 2**30))
    found, cost = read_arm(path)
    assert cost == Cost(2.5, 2**30)
    assert found.keys() == plain.keys()
    for name in plain:
        assert_same(found[name], plain[name])


def test_fresh_and_resumed_results_are_equal(tmp_path):
    """Also of the kinds that are changed: tuples, numpy's scalars and text with lone surrogates."""
    result = {
        "texts": ("a\ud800", "", "b\r\n"),
        "tokens": [np.arange(3, dtype=">i2"), np.arange(0, dtype=">i2"), np.arange(2, dtype=">i2")],
        "mixed": [np.zeros(2), np.zeros((2, 2)), np.float32(0.1), {"score": np.nan, "audio": b"\0RIFF"}],
        "points": [np.zeros((2, 3)), np.ones((1, 3))],
        "loss": np.float32(0.5),
    }
    calls = []
    first = ClaimContext(folder=tmp_path).arm("x", 0, lambda: calls.append(1) or result)
    again = ClaimContext(folder=tmp_path).arm("x", 0, lambda: calls.append(1) or result)
    assert len(calls) == 1
    assert_same({name: again[name] for name in result}, {name: first[name] for name in result})
    assert first["texts"] == ["a\ud800", "", "b\r\n"]
    assert first["tokens"][0].dtype == np.dtype(">i2")


def test_many_short_arrays_take_little_more_than_their_content(tmp_path):
    ragged = [np.full(index % 7, index, np.int32) for index in range(5000)]
    write_arm(tmp_path / "x.npz", plain_arm("x", {"tokens": ragged, "bytes": [b"abc"] * 5000}), Cost(1.0, 0))
    content = sum(array.nbytes for array in ragged) + 3 * 5000
    lengths = 2 * 8 * 5000
    assert (tmp_path / "x.npz").stat().st_size < content + lengths + 2000


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "arm 'x': 'v' is NoneType, expected numbers, text, bytes"),
        (np.array([object()]), "arm 'x': 'v' holds object, expected numbers"),
        (np.array(["a"]), "arm 'x': 'v' holds <U1"),
        ([1, {"a": [{1, 2}]}], r"arm 'x': 'v'\[1\]\['a'\]\[0\] is set"),
        ({1: 2}, "arm 'x': 'v' has the key 1, expected text"),
    ],
)
def test_other_values_are_refused(value, message):
    with pytest.raises(UsageError, match=message):
        plain_arm("x", {"v": value})
    with pytest.raises(UsageError, match="arm 'x' returned list, expected a dictionary of values by name"):
        plain_arm("x", [1])
