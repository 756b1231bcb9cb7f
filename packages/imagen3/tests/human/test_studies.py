"""Plans of studies and what they break."""

from dataclasses import replace

import numpy as np
import pytest
from onepaper.errors import UsageError

from imagen3.config import StudyRules
from imagen3.human.elo import fit_ratings
from imagen3.human.studies import BoardPlan, StudyPlan, plan_studies, simulate, violations

RULES = StudyRules(ratings=100, submission=10, largest_share=0.25)
BOARDS = (BoardPlan("overall", "one", 40), BoardPlan("detail", "two", 33))


def plan(seed: int = 0, raters: int = 60) -> StudyPlan:
    return plan_studies(4, BOARDS, raters, np.random.default_rng(seed), RULES)


@pytest.mark.parametrize("raters", [40, 47, 300])
def test_every_rule_is_kept(raters: int) -> None:
    found = plan(raters=raters)
    assert len(found.study) == 2 * 6 * 100
    assert violations(found, RULES) == dict.fromkeys(violations(found, RULES), 0)
    assert 0.4 < found.first_is_left.mean() < 0.6
    submissions = np.bincount(found.rater, minlength=raters) // 10
    assert submissions.max() - submissions.min() <= 1
    assert (np.diff(found.study) >= 0).all()


def test_same_seed_same_plan() -> None:
    for name in ("rater", "prompt", "first_is_left"):
        assert (getattr(plan(1), name) == getattr(plan(1), name)).all()
        assert (getattr(plan(1), name) != getattr(plan(2), name)).any()


def test_violations_are_counted() -> None:
    found = plan()
    one = replace(found, rater=np.zeros_like(found.rater), prompt=np.zeros_like(found.prompt))
    counted = violations(one, RULES)
    assert counted["raters in too many studies"] == 1
    assert counted["too large submissions"] == 12
    assert counted["studies with unevenly rated prompts"] == 12
    assert counted["prompts shown twice to a rater in a study"] == 12 * 99
    assert violations(replace(found, study=np.zeros_like(found.study)), RULES)["studies of another size"] == 12


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"raters": 39}, "there are 39 raters, expected at least 40"),
        ({"models": 1}, "there are 1 models"),
        ({"boards": ()}, "0 boards"),
        ({"boards": (BoardPlan("overall", "few", 9),)}, "few has 9 prompts"),
        ({"boards": (BoardPlan("counting", "one", 40),)}, "counting compares no pairs"),
        ({"models": 3000}, "expected at most 50,000,000"),
    ],
)
def test_refused(words: dict, expected: str) -> None:
    given = {"models": 4, "boards": BOARDS, "raters": 60, "generator": np.random.default_rng(0), "rules": RULES}
    with pytest.raises(UsageError, match=expected):
        plan_studies(**given | words)


def test_rules_are_checked() -> None:
    with pytest.raises(UsageError, match="multiple of submission"):
        StudyRules(ratings=101, submission=10)
    assert StudyRules().studies_of_a_rater(150) == 15
    assert StudyRules().studies_of_a_rater(3) == 1


def test_simulated_votes() -> None:
    elo = np.array([1100.0, 1020.0, 980.0, 900.0])
    big = plan_studies(4, BOARDS[:1], 300, np.random.default_rng(0), StudyRules(6000, 40, 1.0))
    votes = simulate(big, 0, elo, np.random.default_rng(1), tie_rate=0.2)
    assert votes.counts().sum() == 6 * 6000
    assert abs(votes.counts()[:, 2].sum() / (6 * 6000) - 0.2) < 0.01
    np.testing.assert_allclose(fit_ratings(votes.models, votes.counts()).elo, elo, atol=12)
