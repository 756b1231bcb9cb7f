"""Templates: blanks, their places, and what is refused."""

import numpy as np
import pytest
from onepaper.errors import UsageError

from sed.data.corpus import Corpus
from sed.data.template import encode_template, parse_template


def test_parts() -> None:
    assert parse_template("Once [[8]] lived a [[3]].") == ["Once ", 8, " lived a ", 3, "."]
    assert parse_template("[[*]] said") == [None, " said"]
    assert parse_template("a [b] [[1]]") == ["a [b] ", 1]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("no blank", "has no blank"),
        ("", "has no blank"),
        ("a [[0]]", r"blank \[\[0\]\]"),
        ("a [[-2]]", "expected a number"),
        ("a [[]]", "expected a number"),
        ("a [[²]]", "expected a number"),
        ("[[*]] a [[*]]", "twice"),
    ],
)
def test_refused(template: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_template(template)


def test_given_tokens_are_those_of_the_text(corpus: Corpus) -> None:
    found = encode_template("And [[2]] the king [[*]] said", corpus.codec, 16)
    tokens, given = found.tokens[: found.shown], found.cond_mask[: found.shown]
    assert found.shown == 16
    assert corpus.codec.decode(tokens[given]) == " And the king said"
    assert (~given).sum() == 16 - len(corpus.codec.encode(" And the king said"))
    assert not given[1:3].any()
    assert given[0]


def test_what_follows_is_sampled_and_not_shown(corpus: Corpus) -> None:
    found = encode_template("And [[2]]", corpus.codec, 8)
    assert (found.shown, found.cond_mask.sum()) == (3, 1)
    np.testing.assert_array_equal(found.cond_mask[3:], False)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("a [[9]]", "blank of 9 tokens, expected at most 8"),
        ("[[5]] a [[5]]", "expected at most 8 in all"),
        ("In the beginning God created the heaven and the earth [[*]]", "blank of free size, expected at most 8"),
    ],
)
def test_too_long(corpus: Corpus, template: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        encode_template(template, corpus.codec, 8)
