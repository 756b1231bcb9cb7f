from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import OnePaperError, UsageError
from onepaper.fingerprint.marks import measurement

from perceiver_ar.config import DataConfig
from perceiver_ar.data.codes import CodesCodec
from perceiver_ar.data.datasets import load, load_as, saved_codec
from perceiver_ar.data.images import ImageCodec
from perceiver_ar.data.music import EventCodec
from perceiver_ar.data.text import ByteText, WordText


@pytest.mark.parametrize(("name", "vocab_size"), [("novels", 259), ("digits", 20), ("photos", 259), ("freedoom", 391)])
def test_what_needs_no_path_is_there(name: str, vocab_size: int) -> None:
    corpus = load(DataConfig(name))
    assert corpus.codec.vocab_size == vocab_size
    for part in (corpus.train, corpus.validation, corpus.test):
        assert 0 < part[0].min() <= part[0].max() < vocab_size


@pytest.mark.parametrize("name", ["novels", "digits", "photos", "freedoom"])
def test_a_claim_can_use_what_ships_and_nothing_else(name: str, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("text " * 1000)
    with measurement("C0"):
        assert len(load.__wrapped__(DataConfig(name)).train)
        for unmeasured in (DataConfig("text", tmp_path / "mine"), DataConfig("novels", tokens="words")):
            with pytest.raises(OnePaperError, match="claim C0 uses perceiver_ar.data.text"):
                load.__wrapped__(unmeasured)


def test_text_is_read_with_a_networks_own_words() -> None:
    codec = WordText(["<unk>", "Anne"])
    corpus = load_as(DataConfig("novels", tokens="words"), codec)
    assert corpus.codec is codec
    assert np.isin(corpus.test[0][1:-1] - 3, (0, 1)).all()
    assert load_as(DataConfig("digits"), ImageCodec(8, 8, 1, 17)).codec.vocab_size == 20


def test_codecs_are_found_again() -> None:
    kinds = {"novels": ByteText, "digits": ImageCodec, "freedoom": EventCodec}
    for name, kind in kinds.items():
        assert isinstance(saved_codec(DataConfig(name), {}.__getitem__), kind)
    codec = CodesCodec(24, 1024)
    again = saved_codec(DataConfig("codes", Path("x")), codec.saved_files().__getitem__)
    assert again.vocab_size == codec.vocab_size == 24 * 1024 + 3


def test_the_copy_task_has_no_documents() -> None:
    with pytest.raises(UsageError, match="its sequences are random"):
        load(DataConfig("copy"))
    with pytest.raises(UsageError, match="its tokens are random symbols"):
        saved_codec(DataConfig("copy"), {}.__getitem__)
