import numpy as np
import pytest
from onepaper.errors import UsageError

from perceiver_ar.config import EOS, SOS
from perceiver_ar.data.codec import Codec, Prompt, document, file_prompt
from perceiver_ar.data.codes import CodesCodec
from perceiver_ar.data.copy_task import CopyCodec
from perceiver_ar.data.images import ImageCodec
from perceiver_ar.data.music import EventCodec
from perceiver_ar.data.text import ByteText


def test_a_document_begins_and_ends() -> None:
    assert document(np.array([0, 5])).tolist() == [SOS, 3, 8, EOS]


CODECS = [ByteText(), ImageCodec(2, 2, 3), EventCodec(), CodesCodec(3, 5), CopyCodec(16, 7)]


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: type(codec).__name__)
def test_every_codec_has_the_whole_protocol(codec: Codec) -> None:
    assert isinstance(codec, Codec)
    assert codec.encode_prompt(Prompt(), 0)[0] == SOS
    assert codec.saved_files().keys() <= {"codebooks.txt"}


def test_a_prompt_of_text_needs_a_codec_of_text() -> None:
    with pytest.raises(UsageError, match="--prompt is text, but the network's data are codes; give --prompt-file"):
        file_prompt(CodesCodec(3, 5), Prompt("words"), "codes")
