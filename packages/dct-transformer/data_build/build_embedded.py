"""Build `assets/data` from unpacked Debian 12 packages and from scikit-image.

for name in tuxpaint-stamps-default mate-backgrounds lomiri-wallpapers-16.04 lomiri-wallpapers-20.04; do
    apt-get download $name && dpkg-deb -x ${name}_*.deb unpacked
done
python data_build/build_embedded.py unpacked
"""

import argparse
import io
import shutil
import tarfile
from pathlib import Path

import skimage.data
from onepaper.data import write_sums
from PIL import Image

TARGET = Path(__file__).parents[1] / "src" / "dct_transformer" / "assets" / "data"
STAMP_SIZE, MARGIN, SHORT_SIDE, LONGEST = 64, 3, 256, 384
# Letters, coins and signs are no pictures of objects.
DROPPED = "symbols"
# Drawings among the photographs.
DRAWN = ("fossa", "infinite-sea", "painting-colors", "analogpattern")
SKIMAGE = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "hubble_deep_field.jpg")


def stamp(path: Path) -> bytes:
    """A stamp on a white square, as JPEG."""
    image = Image.open(path).convert("RGBA")
    image = image.crop(image.getchannel("A").getbbox())
    image.thumbnail((STAMP_SIZE - 2 * MARGIN,) * 2, Image.Resampling.LANCZOS)
    canvas = Image.new("RGB", (STAMP_SIZE,) * 2, "white")
    canvas.paste(image, ((STAMP_SIZE - image.width) // 2, (STAMP_SIZE - image.height) // 2), image)
    return jpeg(canvas, 90)


def photograph(path: Path) -> bytes:
    """A photograph with a short side of 256 and a long side of 384 pixels at most, as JPEG."""
    image = Image.open(path).convert("RGB")
    scale = SHORT_SIDE / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    left, top = (max(0, size - LONGEST) // 2 for size in image.size)
    return jpeg(image.crop((left, top, image.width - left, image.height - top)), 90)


def jpeg(image: Image.Image, quality: int) -> bytes:
    """JPEG without subsampled chroma."""
    content = io.BytesIO()
    image.save(content, "JPEG", quality=quality, subsampling=0, optimize=True)
    return content.getvalue()


def main() -> None:
    """Write the shard of stamps, the photographs, and the licences of both."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("unpacked", type=Path, help="folder of the unpacked packages")
    unpacked = parser.parse_args().unpacked / "usr" / "share"
    (TARGET / "photographs").mkdir(parents=True, exist_ok=True)

    root = unpacked / "tuxpaint" / "stamps"
    with tarfile.open(TARGET / "stamps.tar", "w") as shard:
        for path in sorted(root.rglob("*.png")):
            kind = path.relative_to(root).parts[0]
            if kind == DROPPED:
                continue
            name = "-".join(path.relative_to(root / kind).with_suffix("").parts)
            content = stamp(path)
            member = tarfile.TarInfo(f"{kind}/{name}.jpg")
            member.size = len(content)
            shard.addfile(member, io.BytesIO(content))

    backgrounds = unpacked / "backgrounds"
    sources = sorted([*backgrounds.glob("*_by_*.jpg"), *(backgrounds / "mate" / "nature").glob("*.jpg")])
    sources += [Path(skimage.data.__file__ or "").parent / name for name in SKIMAGE]
    for path in sources:
        name = path.stem.split("_by_")[0].replace("_", "-").lower()
        if name not in DRAWN:
            (TARGET / "photographs" / f"{name}.jpg").write_bytes(photograph(path))

    documents = unpacked / "doc"
    shutil.copy(documents / "tuxpaint-stamps-default" / "copyright", TARGET / "stamps-licence.txt")
    for source, name in (("mate-backgrounds", "mate"), ("lomiri-wallpapers-20.04", "lomiri")):
        shutil.copy(documents / source / "copyright", TARGET / f"photographs-{name}-licence.txt")
    shutil.copy("/usr/share/common-licenses/GPL-2", TARGET / "GPL-2.txt")
    write_sums(TARGET)


if __name__ == "__main__":
    main()
