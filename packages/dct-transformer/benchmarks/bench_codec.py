"""Pixels to lists of triples, beside a pipeline of torch-dct; stored coefficients, beside jpeglib.

    python bench_codec.py [--rounds 7] [--size 256] [--output results/codec.json]

All run in one process and on one thread, and take turns. Numbers are seconds of processor time for a photograph, so
that other programs on the machine matter less.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import jpeglib
import numpy as np
import torch
import torch_dct
from onepaper.benchmark import pin, write_result
from PIL import Image

from dct_transformer.config import CodecConfig
from dct_transformer.data.images import photographs, resize
from dct_transformer.data.jpeg_files import read_jpeg
from dct_transformer.representation.codec import color_layout, color_tables, encode
from dct_transformer.representation.transform import zigzag
from dct_transformer.representation.triples import Triples, image_to_triples

CODEC = CodecConfig(quality=75)
_COLOUR = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


class TorchDct:
    """The same list by torch-dct: colour, means, DCT of blocks, tables, zigzag order, and sorting."""

    def __init__(self, size: int) -> None:
        self.layout = color_layout(size, size, CODEC)
        self.order = torch.from_numpy(zigzag(8).copy())
        self.tables = [torch.from_numpy(table.copy()).float() for table in color_tables(CODEC)]

    def __call__(self, picture: np.ndarray) -> Triples:
        """The list of a picture."""
        rgb = torch.from_numpy(picture).permute(2, 0, 1).float()
        luma, *chroma = torch.einsum("ij,jhw->ihw", _COLOUR, rgb)
        planes = [luma - 128, *(torch.nn.functional.avg_pool2d(plane[None, None], 2)[0, 0] for plane in chroma)]
        columns = []
        for index, (plane, table) in enumerate(zip(planes, self.tables, strict=True)):
            blocks = plane.unfold(0, 8, 8).unfold(1, 8, 8).contiguous()
            coefficients = torch_dct.dct_2d(blocks, norm="ortho").flatten(2).flatten(0, 1)[:, self.order]
            values = torch.round(coefficients / table).T
            channels, places = torch.nonzero(values, as_tuple=True)
            positions = torch.from_numpy(self.layout.plane_positions[index])[places]
            columns.append((channels + 64 * index, positions, values[channels, places]))
        channels, positions, values = (torch.cat(column).numpy() for column in zip(*columns, strict=True))
        order = np.argsort(self.layout.keys(channels, positions), kind="stable")
        return Triples(channels[order], positions[order], values[order].astype(np.int32))


def read_by_jpeglib(path: Path) -> object:
    """Coefficients as jpeglib returns them."""
    found = jpeglib.read_dct(str(path))
    found.load()
    return found.Y


def agreement(first: Triples, second: Triples) -> float:
    """Part of the triples of the first list that the second has."""
    pairs = [set(zip(*(column.tolist() for column in triples), strict=True)) for triples in (first, second)]
    return len(pairs[0] & pairs[1]) / len(pairs[0])


def main() -> None:
    """Measure, print as Markdown, write as JSON where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--quick", action="store_true", help="two rounds")
    parser.add_argument("--output", type=Path, help="JSON file")
    options = parser.parse_args()
    pin()
    torch.set_num_threads(1)
    pictures = [resize(photo, (options.size, options.size)) for photo in photographs().values()]
    peer = TorchDct(options.size)
    equal = statistics.mean(agreement(encode(picture, CODEC), peer(picture)) for picture in pictures)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{index}.jpg" for index in range(len(pictures))]
        for path, picture in zip(paths, pictures, strict=True):
            Image.fromarray(picture).save(path, quality=CODEC.quality, subsampling=2)
        ways: dict[str, tuple[Callable[..., object], list]] = {
            "pixels to triples, here": (lambda picture: encode(picture, CODEC), pictures),
            "pixels to triples, torch-dct": (peer, pictures),
            "file to coefficients, jpeglib": (read_by_jpeglib, paths),
            "file to coefficients, here": (read_jpeg, paths),
            "file to triples, here": (lambda path: image_to_triples(read_jpeg(path)), paths),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(2 if options.quick else options.rounds):
            for name, (run, inputs) in ways.items():
                begun = time.process_time()
                for given in inputs:
                    run(given)
                times[name].append((time.process_time() - begun) / len(inputs))
    medians = {name: statistics.median(own) for name, own in times.items()}
    ours, other, library = (medians[name] for name in list(ways)[:3])
    ratios = {"torch-dct over here": other / ours, "here over jpeglib": ours / library}
    print("| way | ms a photograph |\n|---|---|")
    for name, seconds in medians.items():
        print(f"| {name} | {1000 * seconds:.2f} |")
    print(f"\n{ratios}; {equal:.4f} of the triples are those of torch-dct")
    result = {"size": options.size, "processor_seconds": times, "medians": medians, "ratios": ratios, "equal": equal}
    write_result(options.output, result, ("torch", "torch-dct", "jpeglib", "numpy", "pillow"))


if __name__ == "__main__":
    main()
