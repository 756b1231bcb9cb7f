"""Build `assets/data`: pictures, names and keywords of emoji, from two npm packages, unpacked.

npm pack emoji-datasource-twitter@16.0.0 && npm pack cldr-annotations-full@48.2.0
mkdir art names && tar xzf emoji-datasource-twitter-16.0.0.tgz -C art
tar xzf cldr-annotations-full-48.2.0.tgz -C names
python data_build/build_embedded.py art/package names/package
"""

import argparse
import json
import shutil
from pathlib import Path

from onepaper.data import write_sums
from onepaper.images.reading import read_image
from PIL import Image

TARGET = Path(__file__).parents[1] / "src" / "imagen3" / "assets" / "data"
SIZE, COLUMNS = 64, 40

# Regional flags and single skin tones or hair styles are no concepts of their own.
LEFT_OUT = ("Flags", "Component")


def main() -> None:
    """Write one lossless sheet of all pictures on white, and one line of text for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("art", type=Path, help="folder of the unpacked package emoji-datasource-twitter")
    parser.add_argument("names", type=Path, help="folder of the unpacked package cldr-annotations-full")
    options = parser.parse_args()
    annotations = json.loads((options.names / "annotations/en/annotations.json").read_text(encoding="utf-8"))
    annotations = annotations["annotations"]["annotations"]
    rows, pictures = [], []
    records = json.loads((options.art / "emoji.json").read_text(encoding="utf-8"))
    for record in sorted(records, key=lambda record: record["sort_order"]):
        character = "".join(chr(int(code, 16)) for code in record["unified"].split("-"))
        found = annotations.get(character) or annotations.get(character.replace("\ufe0f", ""))
        if record["category"] in LEFT_OUT or not record["has_img_twitter"] or not found or "tts" not in found:
            continue
        rows.append("\t".join((character, record["category"], found["tts"][0], ", ".join(found["default"]))))
        pictures.append(read_image(options.art / "img/twitter/64" / record["image"], size=(SIZE, SIZE)))
    sheet = Image.new("RGB", (COLUMNS * SIZE, -(-len(pictures) // COLUMNS) * SIZE), "white")
    for number, picture in enumerate(pictures):
        sheet.paste(Image.fromarray(picture), (number % COLUMNS * SIZE, number // COLUMNS * SIZE))
    TARGET.mkdir(parents=True, exist_ok=True)
    sheet.save(TARGET / "emoji.webp", lossless=True, quality=100, method=6)
    (TARGET / "emoji.tsv").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    shutil.copy(options.names / "LICENSE", TARGET / "names-licence.txt")
    write_sums(TARGET)


if __name__ == "__main__":
    main()
