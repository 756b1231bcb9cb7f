"""Build the data that perceiver-ar embeds, from two packages of Debian 12 (`apt-get download` fetches them).

    dpkg-deb -x r-cran-janeaustenr_1.0.0-1_all.deb austen && dpkg-deb -x freedoom_0.12.1-2_all.deb freedoom
    python packages/perceiver-ar/data_build/build_embedded.py --austen austen --freedoom freedoom

Run it where the package is installed. It writes six novels of Jane Austen, one compressed text each, and the music of
the games Freedoom as events.
"""

import argparse
import io
import lzma
import re
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from onepaper.data import write_sums

SOURCE = Path(__file__).parents[1] / "src"
FOLDER = SOURCE / "perceiver_ar/assets/data"
# The first line of each book in the package's order, and what it is called here.
NOVELS = (
    "emma", "mansfield-park", "northanger-abbey", "persuasion", "pride-and-prejudice", "sense-and-sensibility",
)  # fmt: skip
# Of R's serialisation: a vector of texts, and one text.
TEXTS, TEXT = 16, 9
ZLIB_HEADER = b"x\x9c"


def novels(database: bytes) -> Iterator[str]:
    """The texts of an R lazy-load database: compressed blocks behind their length, each one vector of lines."""
    at = 0
    while at < len(database):
        start = at + 4  # the length of the content comes first
        if database[start : start + 2] != ZLIB_HEADER:
            return
        inflate = zlib.decompressobj()
        content = inflate.decompress(database[start:])
        at = len(database) - len(inflate.unused_data)
        lines = text_vector(content)
        if len(lines) > 1000:
            yield "\n".join(lines) + "\n"


def text_vector(content: bytes) -> list[str]:
    """Lines of a serialised vector of texts (XDR, version 3); empty for anything else."""
    at = 14 + 4 + struct.unpack(">i", content[14:18])[0]  # behind the versions and the name of the encoding
    kind, count = struct.unpack(">ii", content[at : at + 8])
    if kind & 0xFF != TEXTS:
        return []
    at += 8
    lines = []
    for _ in range(count):
        flags, length = struct.unpack(">ii", content[at : at + 8])
        if flags & 0xFF != TEXT:
            raise SystemExit(f"found a value of kind {flags & 0xFF}, expected texts")
        lines.append(content[at + 8 : at + 8 + length].decode("utf-8"))
        at += 8 + max(length, 0)
    return lines


def tracks(wad: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and MIDI files of a WAD, the archive format of the games."""
    count, directory = struct.unpack("<ii", wad[4:12])
    for entry in range(count):
        at, size, name = struct.unpack("<ii8s", wad[directory + 16 * entry : directory + 16 * entry + 16])
        if wad[at : at + 4] == b"MThd":
            yield name.rstrip(b"\0").decode("ascii").lower(), wad[at : at + size]


def music(folder: Path) -> dict[str, np.ndarray]:
    """Events of every distinct piece; those that the two games share appear once."""
    sys.path.insert(0, str(SOURCE))
    from perceiver_ar.data.events import encode
    from perceiver_ar.data.midi import read_midi

    pieces: dict[str, np.ndarray] = {}
    seen: set[bytes] = set()
    for wad in sorted(folder.glob("usr/share/games/doom/*.wad")):
        for name, content in tracks(wad.read_bytes()):
            events = encode(read_midi(content)).astype(np.uint16)
            if len(events) and events.tobytes() not in seen:
                seen.add(events.tobytes())
                pieces[f"{wad.stem}-{name}"] = events
    return pieces


def main() -> None:
    """Write the novels, the music with its licence, and the checksums."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--austen", type=Path, required=True)
    parser.add_argument("--freedoom", type=Path, required=True)
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    database = options.austen / "usr/lib/R/site-library/janeaustenr/data/Rdata.rdb"
    texts = list(novels(database.read_bytes()))
    for name, text in zip(NOVELS, texts, strict=True):
        if name.split("-")[0] not in text[:40].lower():
            raise SystemExit(f"a novel begins with {text[:40]!r}, expected {name}")
        text = re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
        (FOLDER / f"{name}.txt.xz").write_bytes(lzma.compress(text.encode(), preset=9))
        print(f"{name}: {len(text.encode()):,} bytes")
    pieces = music(options.freedoom)
    archive = io.BytesIO()
    np.savez(archive, allow_pickle=False, **pieces)
    (FOLDER / "freedoom.npz.xz").write_bytes(lzma.compress(archive.getvalue(), preset=9))
    licence = (options.freedoom / "usr/share/doc/freedoom/copyright").read_text(encoding="utf-8")
    (FOLDER / "freedoom-licence.txt").write_text(licence, encoding="utf-8")
    print(f"{len(pieces)} pieces of music, {sum(map(len, pieces.values())):,} events; {write_sums(FOLDER)}")


if __name__ == "__main__":
    main()
