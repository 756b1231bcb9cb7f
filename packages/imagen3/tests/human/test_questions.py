"""The five questions."""

import pytest
from onepaper.errors import UsageError

from imagen3.human.questions import QUESTIONS, question_of


def test_what_is_shown() -> None:
    assert len(QUESTIONS) == 5
    assert [name for name, own in QUESTIONS.items() if own.shows_prompt] == ["overall", "alignment"]
    assert [name for name, own in QUESTIONS.items() if own.shows_reference] == ["detail"]
    assert [name for name, own in QUESTIONS.items() if own.pictures == 1] == ["counting"]
    with pytest.raises(UsageError, match="did you mean 'appeal'"):
        question_of("appel")
