"""The documents of a configuration, for every kind of data."""

from collections.abc import Callable
from functools import lru_cache

from onepaper.errors import UsageError

from perceiver_ar.config import DataConfig
from perceiver_ar.data import codes, images, music, text
from perceiver_ar.data.corpus import Codec, Corpus


@lru_cache(maxsize=4)
def load(config: DataConfig) -> Corpus:
    """The documents of a configuration.

    Raises:
        UsageError: the copy task, which has no documents, or missing data.
    """
    if config.kind == "text":
        return text.LOADERS[config.dataset](config, None)
    if config.kind == "images":
        return images.LOADERS[config.dataset](config)
    if config.kind == "events":
        return music.LOADERS[config.dataset](config)
    if config.kind == "codes":
        return codes.user_codes(config)
    raise UsageError("the copy task has no documents: its sequences are random")


def load_as(config: DataConfig, codec: Codec) -> Corpus:
    """The documents of a configuration in the tokens of a trained network, whose vocabulary may be of other text."""
    if isinstance(codec, text.ByteText | text.PieceText | text.WordText) and config.kind == "text":
        return text.LOADERS[config.dataset](config, codec)
    return load(config)


def saved_codec(config: DataConfig, read: Callable[[str], bytes]) -> Codec:
    """The codec of a trained network.

    Args:
        config: of the training data.
        read: gives the content of a file beside the weights, by name.

    Raises:
        UsageError: the copy task, which has no codec.
    """
    if config.kind == "text":
        return text.saved_text_codec(config, read)
    if config.kind == "images":
        return images.image_codec(config)
    if config.kind == "events":
        return music.EventCodec()
    if config.kind == "codes":
        return codes.CodesCodec(int(read(codes.SHAPE_NAME)), config.codebook_size)
    raise UsageError("the copy task has no codec: its tokens are random symbols")
