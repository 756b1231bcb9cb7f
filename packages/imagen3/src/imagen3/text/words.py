"""Vectors of word pieces, distilled from a sentence encoder: the text encoder that ships with the package.

A vector is the output of all-MiniLM-L6-v2 (Reimers and Gurevych, 2019; Wang et al., 2020) for one word piece alone,
reduced to 128 principal components of 8 bits. Related words have similar vectors; the order of words is known to
the denoiser by positions only.
"""

from collections.abc import Sequence
from functools import cache

import torch
from jaxtyping import Float
from onepaper.data import embedded
from onepaper.errors import UsageError
from safetensors.torch import load_file
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from torch import Tensor

from imagen3.text.encoder import TextFeatures

FIRST, UNKNOWN = "[CLS]", "[UNK]"


@cache
def load_words() -> tuple[Tokenizer, Float[Tensor, "pieces dim"]]:
    """The tokenizer and the vectors of its pieces."""
    vocabulary = embedded("imagen3", "words.txt").read_text(encoding="utf-8").splitlines()
    model = WordPiece({piece: index for index, piece in enumerate(vocabulary)}, unk_token=UNKNOWN)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = BertNormalizer(lowercase=True)  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.pre_tokenizer = BertPreTokenizer()  # pyright: ignore[reportAttributeAccessIssue]
    stored = load_file(embedded("imagen3", "words.safetensors"))
    return tokenizer, stored["vectors"].float() * stored["scale"].float()[:, None]


class WordEncoder:
    """A `TextEncoder` that looks up vectors; the first token of every text is the same.

    Args:
        max_tokens: longest text, the first token included.
    """

    dim = 128

    def __init__(self, max_tokens: int) -> None:
        if max_tokens < 2:
            raise UsageError(f"max_tokens is {max_tokens}, expected at least 2: a first token and one of the text")
        self.max_tokens = max_tokens
        self._tokenizer, self._vectors = load_words()

    def encode(self, texts: Sequence[str]) -> TextFeatures:
        """Vectors of the pieces of each text, and their mean.

        Raises:
            UsageError: no texts.
        """
        if not texts:
            raise UsageError("there is no text to encode; give at least one prompt")
        first = self._tokenizer.token_to_id(FIRST)
        rows = [[first, *found.ids][: self.max_tokens] for found in self._tokenizer.encode_batch(list(texts))]
        ids = torch.zeros(len(texts), max(map(len, rows)), dtype=torch.long)
        mask = torch.zeros_like(ids, dtype=torch.bool)
        for row, pieces in enumerate(rows):
            ids[row, : len(pieces)] = torch.tensor(pieces)
            mask[row, : len(pieces)] = True
        tokens = self._vectors[ids] * mask[..., None]
        return TextFeatures(tokens, mask, tokens.sum(1) / mask.sum(1, keepdim=True))

    def count_cut(self, texts: Sequence[str]) -> int:
        """How many of the texts have more than `max_tokens` pieces."""
        return sum(len(found.ids) + 1 > self.max_tokens for found in self._tokenizer.encode_batch(list(texts)))
