"""Databases that can and cannot be opened."""

from pathlib import Path

import pytest
from onepaper.errors import OnePaperError, UsageError

from imagen3.human.web.database import open_engine


def test_sqlite_writes_ahead_and_syncs(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'ratings.sqlite'}")
    with engine.connect() as connection:
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
    engine.dispose()
    assert found == ["wal", 2]


@pytest.mark.parametrize("url", ["no url", "postgresql+nodriver://x", "oracle://user:secret@host/name"])
def test_wrong_databases(url: str) -> None:
    with pytest.raises(UsageError, match="is not usable") as found:
        open_engine(url)
    assert "secret" not in str(found.value)


def test_a_place_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(OnePaperError, match="cannot be opened"):
        open_engine(f"sqlite:///{tmp_path / 'no' / 'folder' / 'file.sqlite'}")
