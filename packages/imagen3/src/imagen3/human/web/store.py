"""Raters, their tasks and answers in a database: SQLite, or PostgreSQL by its URL.

A task is a row before it is shown, and its answer is one update of that row: it is stored once, whatever is sent twice,
and it is on disk before the rater is answered. One process serves a database.
"""

import hashlib
import secrets
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import numpy as np
import sqlalchemy as sa
from jaxtyping import Int
from onepaper.errors import UsageError

from imagen3.config import StudyRules
from imagen3.human.votes import CHOICES, Vote
from imagen3.human.web.database import LONGEST_COUNT, RATERS, SETTINGS, TASKS
from imagen3.human.web.study_folder import StudyFolder

EXPIRY = 3600.0
"""seconds after which a task without an answer may be given to another rater"""


class Task(NamedTuple):
    """What a rater is asked."""

    id: str
    study: int
    prompt: int
    left: int
    right: int | None
    """None: one picture"""
    instructed: str | None = None
    """of an attention check: the side that the text asks for"""


class CountAnswer(NamedTuple):
    """A free answer to the question of how many objects a picture has."""

    answer_id: str
    prompt_id: str
    model: str
    answer: str
    rater_id: str


class RatingStore:
    """Tasks for raters by the rules of a study, and their answers."""

    def __init__(
        self,
        engine: sa.Engine,
        study: StudyFolder,
        digest: str,
        rules: StudyRules,
        generator: np.random.Generator,
        *,
        check_rate: float = 0.05,
    ) -> None:
        """Raises `UsageError` if the database has another study."""
        self.study, self.rules = study, rules
        self._engine, self._generator, self._check_rate = engine, generator, check_rate
        self._studies = study.studies
        self._lock = threading.Lock()
        self._known = dict[str, int]()
        with engine.begin() as connection:
            kept: dict[str, str] = {row.name: row.value for row in connection.execute(SETTINGS.select())}
            if kept.get("study", digest) != digest:
                raise UsageError("the database has another study; choose another --state, or restore the pictures")
            new = {"study": digest, "secret": secrets.token_hex(32), "admin": secrets.token_urlsafe(16)} | kept
            if added := [{"name": name, "value": value} for name, value in new.items() if name not in kept]:
                connection.execute(SETTINGS.insert(), added)
            self._given = self._count_given(connection)
        self.secret, self.admin_key = new["secret"].encode(), new["admin"]

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def add_rater(self, code: str) -> int:
        """The number of a rater with a code, who is added if there is none."""
        with self._lock, self._engine.begin() as connection:
            known = _rater(connection, code)
            if known is None:
                row = connection.execute(RATERS.insert().values(code_hash=_hash(code)).returning(RATERS.c.id))
                known = int(row.scalar_one())
        return known

    def rater(self, code: str) -> int | None:
        """The number of the rater with a code."""
        if code not in self._known:
            with self._engine.connect() as connection:
                found = _rater(connection, code)
            if found is None:
                return None
            self._known[code] = found
        return self._known[code]

    def next_task(self, rater: int) -> Task | None:
        """The task without an answer that a rater has, otherwise a new one; None if there is nothing left to rate."""
        now = time.time()
        with self._lock, self._engine.begin() as connection:
            found = connection.execute(
                TASKS.select().where(TASKS.c.rater == rater, TASKS.c.answer.is_(None)).limit(1)
            ).one_or_none()
            if found is not None:
                changed = TASKS.update().where(TASKS.c.id == found.id)
                connection.execute(changed.values(shown=now, visits=found.visits + 1))
                return _task(found)
            task = self._new_task(connection, rater)
            if task is not None:
                connection.execute(TASKS.insert().values(rater=rater, shown=now, visits=1, **task._asdict()))
                if task.instructed is None:
                    self._given[task.study, task.prompt] += 1
            return task

    def task(self, rater: int, task_id: str) -> Task | None:
        """A task of a rater."""
        with self._engine.connect() as connection:
            found = connection.execute(
                TASKS.select().where(TASKS.c.id == task_id, TASKS.c.rater == rater)
            ).one_or_none()
        return None if found is None else _task(found)

    def answer(self, rater: int, task_id: str, answer: str) -> Literal["stored", "known", "refused"]:
        """Store an answer; a task that has one keeps it. Refused are unknown tasks and answers of the wrong kind."""
        task = self.task(rater, task_id)
        if task is None or not _fits(task, answer):
            return "refused"
        mine = (TASKS.c.id == task_id) & (TASKS.c.rater == rater) & TASKS.c.answer.is_(None)
        with self._lock, self._engine.begin() as connection:
            done = connection.execute(TASKS.update().where(mine).values(answer=answer, answered=time.time()))
        return "stored" if done.rowcount == 1 else "known"

    def given_by(self, rater: int) -> int:
        """Number of answers of a rater."""
        where = (TASKS.c.rater == rater) & TASKS.c.answer.is_not(None)
        with self._engine.connect() as connection:
            return int(connection.execute(sa.select(sa.func.count()).where(where)).scalar_one())

    def votes(self) -> list[Vote]:
        """All answers about pairs; those of raters who failed more than half of their checks have a flag."""
        rows, inattentive = self._answers()
        return [
            self._vote(row, "inattentive" if row.rater in inattentive else "")
            for row in rows
            if row.instructed is None and row.right is not None
        ]

    def count_answers(self) -> list[CountAnswer]:
        """All free answers."""
        prompts, models = self.study.prompts, self.study.models
        return [
            CountAnswer(row.id, prompts[row.prompt].prompt_id, models[row.left], row.answer, f"r{row.rater}")
            for row in self._answers()[0]
            if row.right is None
        ]

    def _vote(self, row: Any, flags: str) -> Vote:
        aspect, first, second = self._studies[row.study]
        models = self.study.models
        return Vote(
            row.id,
            f"{aspect}-{models[first]}-{models[second]}",
            aspect,
            self.study.folder.resolve().name,
            self.study.prompts[row.prompt].prompt_id,
            models[row.left],
            models[row.right],
            row.answer,
            f"r{row.rater}",
            f"{1000 * (row.answered - row.shown):.0f}",
            datetime.fromtimestamp(row.answered, UTC).isoformat(timespec="milliseconds"),
            str(row.visits),
            flags,
        )

    def _answers(self) -> tuple[list[Any], set[int]]:
        with self._engine.connect() as connection:
            rows = list(connection.execute(TASKS.select().where(TASKS.c.answer.is_not(None)).order_by("answered")))
        failed = Counter[int]()
        for row in rows:
            if row.instructed is not None:
                failed[row.rater] += 1 if row.answer != row.instructed else -1
        return rows, {rater for rater, balance in failed.items() if balance > 0}

    def _new_task(self, connection: sa.Connection, rater: int) -> Task | None:
        seen: dict[int, set[int]] = {}
        rows = connection.execute(
            sa.select(TASKS.c.study, TASKS.c.prompt).where(TASKS.c.rater == rater, TASKS.c.instructed.is_(None))
        )
        for study, prompt in rows:
            seen.setdefault(study, set()).add(prompt)
        chosen = self._choose_study(seen)
        if chosen is None:
            self._given = self._count_given(connection)  # tasks may have expired
            chosen = self._choose_study(seen)
        if chosen is None:
            return None
        study, identifier = self._studies[chosen], secrets.token_hex(16)
        if study.second is None:
            return Task(identifier, chosen, self._choose_prompt(chosen, seen), study.first, None)
        swapped = self._generator.random() < 0.5
        sides = (study.second, study.first) if swapped else (study.first, study.second)
        if self._generator.random() < self._check_rate:
            prompt = int(self._generator.integers(len(self.study.prompts)))
            side = "left" if self._generator.random() < 0.5 else "right"
            return Task(identifier, chosen, prompt, *sides, side)
        return Task(identifier, chosen, self._choose_prompt(chosen, seen), *sides)

    def _choose_study(self, seen: dict[int, set[int]]) -> int | None:
        """The study that the rater has begun, otherwise one with the fewest ratings."""
        totals = self._given.sum(1)
        largest = min(self.rules.submission, len(self.study.prompts))
        for study, prompts in seen.items():
            if len(prompts) < largest and totals[study] < self.rules.ratings:
                return study
        if len(seen) >= self.rules.studies_of_a_rater(len(self._studies)):
            return None
        left = [study for study, total in enumerate(totals) if study not in seen and total < self.rules.ratings]
        fewest = [study for study in left if totals[study] == min(totals[left])]
        return int(self._generator.choice(fewest)) if fewest else None

    def _choose_prompt(self, study: int, seen: dict[int, set[int]]) -> int:
        """One of the prompts with the fewest ratings in a study that the rater has not seen in it."""
        left = np.setdiff1d(np.arange(len(self.study.prompts)), list(seen.get(study, ())))
        given = self._given[study, left]
        return int(self._generator.choice(left[given == given.min()]))

    def _count_given(self, connection: sa.Connection) -> Int[np.ndarray, "studies prompts"]:
        """Ratings by study and prompt: answers, and tasks that may still be answered."""
        current = TASKS.c.answer.is_not(None) | (TASKS.c.shown > time.time() - EXPIRY)
        where = current & TASKS.c.instructed.is_(None)
        query = sa.select(TASKS.c.study, TASKS.c.prompt, sa.func.count()).where(where)
        counts = np.zeros((len(self._studies), len(self.study.prompts)), int)
        for study, prompt, count in connection.execute(query.group_by(TASKS.c.study, TASKS.c.prompt)):
            counts[study, prompt] = count
        return counts


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


def _rater(connection: sa.Connection, code: str) -> int | None:
    query = sa.select(RATERS.c.id).where(RATERS.c.code_hash == _hash(code))
    return connection.execute(query).scalar_one_or_none()


def _task(row: Any) -> Task:
    return Task(*(getattr(row, name) for name in Task._fields))


def _fits(task: Task, answer: str) -> bool:
    if task.right is not None:
        return answer in CHOICES
    return 0 < len(answer.strip()) <= LONGEST_COUNT and answer.isprintable()
