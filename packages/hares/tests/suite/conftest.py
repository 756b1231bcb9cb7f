"""Small trees of audio in the published layouts."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from onepaper.audio import write_wav

RATE = 8000


@pytest.fixture
def write_tree(tmp_path: Path) -> Callable[..., Path]:
    """Writes tables, and WAV files whose pitch is their number; the root."""

    def write(audio: Iterable[str] = (), seconds: float = 0.3, **tables: str) -> Path:
        for index, name in enumerate(audio):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            time = np.arange(round(seconds * RATE)) / RATE
            write_wav(path, (0.5 * np.sin(2 * np.pi * (200 + 100 * (index % 3)) * time)).astype(np.float32), RATE)
        for name, content in tables.items():
            path = tmp_path / name.replace("__", "/").replace("_DOT_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        return tmp_path

    return write
