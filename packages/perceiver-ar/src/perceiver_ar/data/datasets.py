"""From a configuration to documents: one place that knows every kind of data."""

from collections.abc import Callable
from functools import lru_cache

from onepaper.errors import UsageError

from perceiver_ar.config import DataConfig
from perceiver_ar.data import codes, images, music, text
from perceiver_ar.data.codec import Codec
from perceiver_ar.data.corpus import Corpus


@lru_cache(maxsize=4)
def load(config: DataConfig) -> Corpus:
    """The documents of a configuration.

    Raises:
        UsageError: the copy task, which is made afresh for every batch, or data that are not there.
    """
    if config.kind == "text":
        return text.LOADERS[config.dataset](config, None)
    if config.kind == "images":
        return images.LOADERS[config.dataset](config)
    if config.kind == "events":
        return music.LOADERS[config.dataset](config)
    if config.kind == "codes":
        return codes.own_codes(config)
    raise UsageError("the copy task has no documents: its sequences are drawn afresh")


def load_as(config: DataConfig, codec: Codec) -> Corpus:
    """The same in the tokens of a trained network, which learnt its pieces or words from other text perhaps."""
    if isinstance(codec, text.TextCodec) and config.kind == "text":
        return text.LOADERS[config.dataset](config, codec)
    return load(config)


def saved_codec(config: DataConfig, read: Callable[[str], bytes]) -> Codec:
    """The codec of a trained network.

    Args:
        config: of the data that it learnt from.
        read: the content of a file beside its weights, by name.

    Raises:
        UsageError: the copy task, whose tokens stand for nothing.
    """
    if config.kind == "text":
        return text.saved_text_codec(config, read)
    if config.kind == "images":
        return images.image_codec(config)
    if config.kind == "events":
        return music.EventCodec()
    if config.kind == "codes":
        return codes.CodesCodec(int(read(codes.SHAPE_NAME)), config.codebook_size)
    raise UsageError("the copy task has no codec: its tokens stand for nothing")
