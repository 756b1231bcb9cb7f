"""Build `assets/data/hedgewars-voices` from the Debian package `hedgewars-data` (1.0.2-6), unpacked.

apt-get download hedgewars-data && dpkg-deb -x hedgewars-data_1.0.2-6_all.deb unpacked
python data_build/build_embedded.py unpacked
"""

import argparse
import shutil
from collections import defaultdict
from pathlib import Path

from onepaper.data import write_sums

from audio_datasets.data.examples.hedgewars import FOLDER, NAME, class_of, distinct

TARGET = Path(__file__).parents[1] / "src" / "audio_datasets" / "assets" / "data"
# Of each voice and class, the smallest files.
FILES = 4
LICENCE = Path("/usr/share/common-licenses/GFDL-1.3")


def main() -> None:
    """Copy the chosen files unchanged, the licence and the attribution."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("package", type=Path, help="folder of the unpacked Debian package")
    package = parser.parse_args().package
    by_class = defaultdict(list)
    for path in distinct(sorted((package / FOLDER).glob("*/*.ogg"))):
        if class_of(path):
            by_class[path.parent.name, class_of(path)].append(path)
    folder = TARGET / NAME
    shutil.rmtree(folder, ignore_errors=True)
    for (voice, _), paths in by_class.items():
        (folder / voice).mkdir(parents=True, exist_ok=True)
        for path in sorted(paths, key=lambda path: (path.stat().st_size, path.name))[:FILES]:
            shutil.copyfile(path, folder / voice / path.name)
    shutil.copyfile(LICENCE, folder / "GFDL-1.3.txt")
    (folder / "NOTICE.txt").write_text(
        "Voices of the game Hedgewars (https://hedgewars.org).\n"
        "Copyright 2004, 2005, 2006 Andrey Korotaev <unC0Rr@gmail.com>, as stated by Debian for "
        "share/hedgewars/Data/Sounds/* of hedgewars 1.0.2-6.\n"
        "Licence: GNU Free Documentation License 1.3, in GFDL-1.3.txt. Verbatim copies of single files; a selection, "
        "nothing is modified.\n",
        encoding="utf-8",
    )
    write_sums(TARGET)


if __name__ == "__main__":
    main()
