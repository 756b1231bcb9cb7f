"""The verb `decode`: a list of triples to a picture."""

from onepaper.display.file_bytes import picture_png
from onepaper.display.gallery import save_samples
from onepaper.paper import Invocation

from dct_transformer.cli.options import DecodeOptions
from dct_transformer.data.jpeg_files import jpeg_bytes
from dct_transformer.representation.dct_image import to_pixels
from dct_transformer.representation.list_files import read_list


def decode_verb(call: Invocation) -> None:
    """Write the picture of a list, or of its first part, as PNG and, with blocks of 8, as JPEG."""
    options: DecodeOptions = call.options
    if options.dry_run:
        print(f"would decode {options.triples}")
        return
    triples, layout, tables = read_list(options.triples)
    kept = triples[: round(options.keep * triples.length)]
    image = layout.to_image(kept, tables)
    files = {"image.png": picture_png(to_pixels(image))}
    if image.block == 8:
        files["image.jpg"] = jpeg_bytes(image)
    with call.open_run() as run:
        save_samples(run.folder, files)
    print(f"{kept.length:,} of {triples.length:,} triples; {', '.join(str(run.folder / name) for name in files)}")
