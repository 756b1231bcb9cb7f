"""Templates as tokens and blanks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onepaper.errors import UsageError

from cdcd.data.corpus import Corpus
from cdcd.data.template import encode_template, parse_template


def test_parts() -> None:
    assert parse_template("The {8} of the {3} was") == ["The ", 8, " of the ", 3, " was"]
    assert parse_template("a {{b}} {}") == ["a {b} ", None]
    assert parse_template("{}") == [None]


def test_tokens(letters: Corpus) -> None:
    found = encode_template("The {3} of", letters.codec, 16)
    assert found.shown == 10
    assert letters.codec.decode(found.tokens[: found.shown]) == " the    of"
    np.testing.assert_array_equal(found.mask, [False] * 4 + [True] * 3 + [False] * 3 + [True] * 6)
    whole = encode_template("We {}", letters.codec, 16)
    assert whole.shown == 16
    assert whole.mask.sum() == 13


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("The {8", "single '{' at character 4"),
        ("a } b", "single '}' at character 2"),
        ("{x}", "single '{'"),
        ("{0} a", "blank {0}"),
        ("{} a", "{} before its end"),
        ("no blank", "no blank"),
        ("", "no blank"),
        ("{17}", "blank of 17 tokens, expected at most 16"),
        ("a long beginning of it {}", "expected at most 16"),
        ("{99999999999999999999}", "expected at most 16"),
    ],
)
def test_wrong_templates(template: str, message: str, letters: Corpus) -> None:
    with pytest.raises(UsageError, match=message.replace("{", r"\{").replace("}", r"\}")):
        encode_template(template, letters.codec, 16)


@settings(max_examples=300, deadline=None)
@given(template=st.text(alphabet="ab {}139\u00e9\ud7ff", max_size=24))
def test_any_text_is_encoded_or_refused(template: str, letters: Corpus) -> None:
    try:
        found = encode_template(template, letters.codec, 16)
    except UsageError:  # any other error fails the test
        return
    assert found.tokens.shape == found.mask.shape == (16,)
    assert found.mask.any()
    assert not found.tokens[found.mask].any()
