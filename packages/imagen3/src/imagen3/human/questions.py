"""The five questions that raters answer (paper, sections 3.1.1 to 3.1.5), in our words."""

from dataclasses import dataclass

from onepaper.config import check_choice


@dataclass(frozen=True)
class Question:
    """What a rater sees and answers."""

    text: str
    shows_prompt: bool = True
    shows_reference: bool = False
    """a picture whose content the two pictures should have"""
    pictures: int = 2
    """2: compared, with the answers first, second and no preference; 1: objects are counted"""


QUESTIONS = {
    "overall": Question(
        "Suppose that you use a tool that makes a picture from this text. Which of the two would you rather see?"
    ),
    "alignment": Question(
        "Which picture shows better what the text asks for? Leave out of account defects, quality and, unless the text "
        "asks for one, style."
    ),
    "appeal": Question("Which picture is more appealing?", shows_prompt=False),
    "detail": Question(
        "Which of the two has more of what the reference picture shows: its objects, where they are and how they are "
        "turned? Leave out of account style, quality and how it was taken.",
        shows_prompt=False,
        shows_reference=True,
    ),
    "counting": Question("How many {noun} are in the picture?", shows_prompt=False, pictures=1),
}
"""The questions by aspect."""


def question_of(aspect: str) -> Question:
    """The question of an aspect.

    Raises:
        UsageError: no such aspect; the message has the nearest name.
    """
    check_choice("aspect", aspect, QUESTIONS)
    return QUESTIONS[aspect]
