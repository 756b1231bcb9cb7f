"""Build `assets/data/verses.tsv.xz` from two Bibles in the public domain, as Debian packages them for SWORD.

apt-get download sword-text-kjv sword-text-sparv   # versions 14.3 and 2.60
for file in *.deb; do dpkg-deb -x $file unpacked; done
python data_build/build_verses.py unpacked

Both number their verses in the same way, so that a verse and its translation have the same number.
"""

import argparse
import html
import lzma
import re
import shutil
import struct
import zlib
from pathlib import Path

from onepaper.data import write_sums

TARGET = Path(__file__).parents[1] / "src" / "cdcd" / "assets" / "data"
BIBLES = {"english": ("engKJV2006eb", "sword-text-kjv"), "spanish": ("spaRV1909eb", "sword-text-sparv")}

# Of every twenty chapters, one is for validation and one for the test.
CHAPTERS, VALIDATION, TEST = 20, 9, 19

# The entry in front of the first verse of a chapter.
HEADING = re.compile(r'osisID="(\w+)\.(\d+)" sID=')

# Held-out verses that share so many words in a row with the training part are left out.
RUN_WORDS = 8


def read_module(folder: Path) -> list[str]:
    """The entries of a SWORD module of compressed text: `bzs` blocks, `bzv` entries in them, `bzz` the blocks."""
    found = []
    for part in ("ot", "nt"):
        blocks, entries, text = ((folder / f"{part}.{kind}").read_bytes() for kind in ("bzs", "bzv", "bzz"))
        inflated = [zlib.decompress(text[at : at + size]) for at, size, _ in struct.iter_unpack("<III", blocks)]
        for block, start, size in struct.iter_unpack("<IIH", entries):
            found.append(inflated[block][start : start + size].decode("utf-8") if size else "")
    return found


def clean(entry: str) -> str:
    """The words of a verse, without notes, titles, markup and paragraph marks."""
    text = re.sub(r"<(note|title)\b.*?</\1>", " ", entry, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", text)).replace("¶", " ").split())


def runs(text: str) -> set[tuple[str, ...]]:
    """All runs of `RUN_WORDS` words; a shorter text is one."""
    words = tuple(re.findall(r"\w+", text.lower()))
    return {words[at : at + RUN_WORDS] for at in range(max(1, len(words) - RUN_WORDS + 1))}


def main() -> None:
    """Write the verses as one compressed file, and what the packages say about their licences."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("unpacked", type=Path, help="folder of the unpacked packages")
    share = parser.parse_args().unpacked / "usr" / "share"
    english, spanish = (
        read_module(share / "sword" / "modules" / "texts" / "ztext" / name) for name, _ in BIBLES.values()
    )
    verses, chapter, number, chapters = list[tuple[str, str, str, str]](), "", 0, 0
    for first, second in zip(english, spanish, strict=True):
        if heading := HEADING.search(first):
            chapter, number, chapters = " ".join(heading.groups()), 0, chapters + 1
        else:
            number += 1
            part = {VALIDATION: "validation", TEST: "test"}.get(chapters % CHAPTERS, "train")
            texts = clean(first), clean(second)
            if chapter and all(texts):
                verses.append((part, f"{chapter}:{number}", *texts))
    seen = [set.union(*(runs(verse[column]) for verse in verses if verse[0] == "train")) for column in (2, 3)]
    kept = [verse for verse in verses if verse[0] == "train" or not any(runs(verse[2 + n]) & seen[n] for n in (0, 1))]
    content = "".join("\t".join(verse) + "\n" for verse in kept).encode("utf-8")
    TARGET.mkdir(parents=True, exist_ok=True)
    (TARGET / "verses.tsv.xz").write_bytes(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))
    for name, (_, package) in BIBLES.items():
        shutil.copy(share / "doc" / package / "copyright", TARGET / f"verses-{name}-licence.txt")
    write_sums(TARGET)


if __name__ == "__main__":
    main()
