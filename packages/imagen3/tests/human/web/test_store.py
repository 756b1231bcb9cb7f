"""Tasks and answers in a database, SQLite and PostgreSQL."""

import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from onepaper.errors import UsageError

from imagen3.config import StudyRules
from imagen3.human.web import store as store_module
from imagen3.human.web.store import RatingStore

Open = Callable[..., RatingStore]


def answer_all(store: RatingStore, rater: int, choice: str = "left", most: int = 1000) -> int:
    for given in range(most):
        task = store.next_task(rater)
        if task is None:
            return given
        assert store.answer(rater, task.id, choice if task.right is not None else "3") == "stored"
    return most


def test_rules_are_kept(open_store: Open) -> None:
    """Two pairs of eight ratings each for a rater, each prompt twice in a study of 16 ratings."""
    store = open_store(rules=StudyRules(ratings=16, submission=8, largest_share=0.67))
    for number in range(3):
        assert answer_all(store, store.add_rater(f"code {number}")) == 16
    votes = list(store.votes())
    assert set(Counter((vote.rater_id, vote.study_id) for vote in votes).values()) == {8}
    assert set(Counter((vote.study_id, vote.prompt_id) for vote in votes).values()) == {2}
    assert len({(vote.rater_id, vote.study_id, vote.prompt_id) for vote in votes}) == len(votes) == 48
    assert answer_all(store, store.add_rater("late")) == 0
    assert 10 < Counter(vote.model_left < vote.model_right for vote in votes)[True] < 38
    for rater in ("r1", "r2", "r3"):  # the pairs of one study come one after another
        own = [vote.study_id for vote in votes if vote.rater_id == rater]
        assert len(set(own[:8])) == len(set(own[8:])) == 1


def test_a_task_is_shown_again_until_it_is_answered_once(open_store: Open) -> None:
    store = open_store()
    rater, other = store.add_rater("a"), store.add_rater("b")
    task = store.next_task(rater)
    assert task is not None
    assert store.next_task(rater) == task
    again = open_store(seed=5)  # the server was started again
    assert again.next_task(again.add_rater("a")) == task
    assert store.answer(other, task.id, "left") == "refused"
    assert store.answer(rater, task.id, "best") == "refused"
    assert store.answer(rater, "0" * 32, "left") == "refused"
    assert store.answer(rater, task.id, "right") == "stored"
    assert store.answer(rater, task.id, "left") == "known"
    (vote,) = store.votes()
    assert (vote.choice, vote.visit, vote.rater_id) == ("right", "3", "r1")
    assert store.given_by(rater) == 1
    following = store.next_task(rater)
    assert following is not None
    assert following.id != task.id


def test_checks_find_inattentive_raters(open_store: Open) -> None:
    store = open_store(check_rate=0.5, rules=StudyRules(ratings=64, submission=8, largest_share=1.0))
    careless, careful = store.add_rater("a"), store.add_rater("b")
    answer_all(store, careless, "tie")
    while task := store.next_task(careful):
        store.answer(careful, task.id, task.instructed or "left")
    flags = {vote.rater_id: vote.flags for vote in store.votes()}
    assert flags == {"r1": "inattentive", "r2": ""}
    assert len(list(store.votes())) == 48, "checks are no votes"


def test_free_answers(open_store: Open) -> None:
    store = open_store(("counting",))
    rater = store.add_rater("a")
    task = store.next_task(rater)
    assert task is not None
    assert task.right is None
    for wrong in ("", "  ", "1" * 41, "2\n3"):
        assert store.answer(rater, task.id, wrong) == "refused"
    assert store.answer(rater, task.id, "2-3") == "stored"
    (found,) = store.count_answers()
    assert (found.answer, found.model) == ("2-3", store.study.models[task.left])
    assert list(store.votes()) == []


def test_expired_tasks_are_given_to_others(open_store: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(rules=StudyRules(ratings=8, submission=8, largest_share=1.0))
    gone, other = store.add_rater("a"), store.add_rater("b")
    left = store.next_task(gone)
    assert left is not None
    assert answer_all(store, other) == 3 * 8 - 1
    monkeypatch.setattr(store_module, "EXPIRY", -1.0)
    assert answer_all(store, other) == 1
    assert store.answer(gone, left.id, "left") == "stored"  # a late answer is not lost


def test_another_study_is_refused(open_store: Open) -> None:
    open_store()
    with pytest.raises(UsageError, match="the database has another study"):
        open_store(("appeal",))


def test_postgresql(postgresql: str, open_store: Open) -> None:
    store = open_store(url=postgresql)
    rater = store.add_rater("a")
    task = store.next_task(rater)
    assert task is not None
    assert store.answer(rater, task.id, "tie") == "stored"
    assert store.answer(rater, task.id, "left") == "known"
    assert answer_all(store, rater) == 23
    again = open_store(url=postgresql)
    assert again.rater("a") == rater
    assert Counter(vote.choice for vote in again.votes()) == {"left": 23, "tie": 1}


@pytest.mark.slow
def test_many_ratings_stay_fast(open_store: Open) -> None:
    """The next task takes as long after 20,000 answers as before."""
    store = open_store(rules=StudyRules(ratings=40_000, submission=8, largest_share=1.0))
    rows = []
    for number in range(800):
        rater = store.add_rater(f"code {number}")
        began = time.perf_counter()
        answer_all(store, rater, most=24)
        rows.append(time.perf_counter() - began)
    assert np.median(rows[-50:]) < 2 * np.median(rows[:50])
