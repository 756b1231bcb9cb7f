"""Text as tokens: tokenizers behind one protocol, and corpora from a user's files."""

from onepaper.text.corpora import Document, TextParts, hold_out_tenth, open_text, part_folders, read_text
from onepaper.text.sentence_pieces import PieceTokenizer, learn_pieces
from onepaper.text.tokenizers import ByteTokenizer, CharacterTokenizer, Tokenizer, WordTokenizer, open_tokenizer

__all__ = [
    "ByteTokenizer",
    "CharacterTokenizer",
    "Document",
    "PieceTokenizer",
    "TextParts",
    "Tokenizer",
    "WordTokenizer",
    "hold_out_tenth",
    "learn_pieces",
    "open_text",
    "open_tokenizer",
    "part_folders",
    "read_text",
]
