"""The choice of the text encoder."""

from pathlib import Path

import pytest
from onepaper.errors import UsageError

from imagen3.config import TextConfig
from imagen3.text.encoder import open_encoder
from imagen3.text.words import WordEncoder


def test_choice() -> None:
    assert isinstance(open_encoder(TextConfig()), WordEncoder)
    with pytest.raises(UsageError, match="missing is no folder"):
        open_encoder(TextConfig("transformers", Path("missing")))
