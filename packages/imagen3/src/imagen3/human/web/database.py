"""The tables of a study with raters, in SQLite or another database of SQLAlchemy."""

from typing import Any

import sqlalchemy as sa
from onepaper.errors import OnePaperError, UsageError
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

LONGEST_COUNT = 40
"""characters of a free answer"""

_TABLES = sa.MetaData()
SETTINGS = sa.Table(
    "settings",
    _TABLES,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("value", sa.String, nullable=False),
)
RATERS = sa.Table(
    "raters",
    _TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("code_hash", sa.String(64), nullable=False, unique=True),
)
TASKS = sa.Table(
    "tasks",
    _TABLES,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("rater", sa.ForeignKey("raters.id"), nullable=False, index=True),
    sa.Column("study", sa.Integer, nullable=False),
    sa.Column("prompt", sa.Integer, nullable=False),
    sa.Column("left", sa.Integer, nullable=False),
    sa.Column("right", sa.Integer),
    sa.Column("instructed", sa.String(5)),
    sa.Column("shown", sa.Float, nullable=False),
    sa.Column("visits", sa.Integer, nullable=False),
    sa.Column("answer", sa.String(LONGEST_COUNT)),
    sa.Column("answered", sa.Float),
)


def open_engine(url: str) -> sa.Engine:
    """The database; SQLite writes ahead (WAL) and syncs every transaction.

    Raises:
        UsageError: no URL of a database, or its driver is not installed.
        OnePaperError: it cannot be opened.
    """
    try:
        engine = sa.create_engine(url, pool_size=10, max_overflow=40)
    except (ArgumentError, ImportError, TypeError) as error:
        raise UsageError(f"database {url.split('@')[-1]!r} is not usable ({error}); give a URL of SQLAlchemy") from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
    try:
        _TABLES.create_all(engine)
    except SQLAlchemyError as error:
        reason = str(error).splitlines()[0]
        raise OnePaperError(f"the database cannot be opened ({reason}); check its place and its server") from None
    return engine


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    for line in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {line}")
