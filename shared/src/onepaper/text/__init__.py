"""Text as tokens: tokenizers behind one protocol, corpora from a user's files, and n-grams that evaluate samples."""

from onepaper.text.corpora import Document, TextParts, hold_out_tenth, open_text, part_folders, read_text
from onepaper.text.ngrams import KneserNey
from onepaper.text.sentence_pieces import PieceTokenizer, learn_pieces
from onepaper.text.tokenizers import ByteTokenizer, CharacterTokenizer, Tokenizer, WordTokenizer, open_tokenizer

__all__ = [
    "ByteTokenizer",
    "CharacterTokenizer",
    "Document",
    "KneserNey",
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
