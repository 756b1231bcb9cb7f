"""Figures of sequences: a sequence logo, images of digits, Sudoku grids."""

from collections.abc import Mapping

import numpy as np
from einops import rearrange
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from onepaper.display.file_bytes import figure_png, tile_pictures

from simplex_cir.config import ModelConfig
from simplex_cir.data.dataset import decode
from simplex_cir.data.sudoku import valid_sudokus

Tokens = Int[np.ndarray, "count positions"]
# Maximal number of grids in a figure.
MOST_GRIDS = 32
COLUMNS = 8
_RIGHT, _WRONG = "#1b7f4d", "#b3261e"


def picture(
    tokens: Tokens, config: ModelConfig, data: Int[np.ndarray, "data positions"] | None = None
) -> Figure | None:
    """A figure of sequences; None for text.

    Args:
        tokens: sequences.
        config: of the model; its symbols decide the kind of figure: nucleotides, pixels or digits of a Sudoku.
        data: sequences of the data, shown beside the others in a logo.
    """
    if set(config.symbols) <= set("ACGTU"):
        return logos({"drawn": tokens} | ({} if data is None else {"data": data}), config.symbols)
    if config.symbols == ".#":
        return tiles(images(tokens))
    if config.layout == "grid":
        return sudokus(tokens, config.symbols)
    return None


def sample_files(
    tokens: Tokens, config: ModelConfig, data: Int[np.ndarray, "data positions"] | None = None
) -> dict[str, bytes]:
    """Sequences as files by name: `samples.txt`, one per line, and `samples.png` where there is a `picture`."""
    files = {"samples.txt": "".join(f"{text}\n" for text in decode(tokens, config.symbols)).encode()}
    figure = picture(tokens, config, data)
    return files if figure is None else {"samples.png": figure_png(figure), **files}


def images(tokens: Tokens) -> Float[np.ndarray, "count side side"]:
    """Sequences of two symbols as square images, black ink (0) on white paper (1)."""
    side = round(tokens.shape[1] ** 0.5)
    return 1.0 - rearrange(np.asarray(tokens), "count (row column) -> count row column", row=side)


def tiles(squares: Float[np.ndarray, "count side side"]) -> Figure:
    """Images side by side."""
    sheet = tile_pictures(np.round(255 * squares).astype(np.uint8), COLUMNS, background=153)
    height, width = sheet.shape
    figure = Figure(figsize=(0.08 * width, 0.08 * height), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=255)
    axes.axis("off")
    return figure


def logos(parts: Mapping[str, Tokens], symbols: str) -> Figure:
    """A sequence logo for each part: the height of a stack is the information at its position, in bits."""
    import logomaker
    import pandas as pd

    figure = Figure(figsize=(5.4, 1.7 * len(parts)), layout="constrained")
    for axes, (name, tokens) in zip(figure.subplots(len(parts), 1, squeeze=False)[:, 0], parts.items(), strict=True):
        counts = np.stack([np.bincount(column, minlength=len(symbols)) for column in np.asarray(tokens).T])
        table = pd.DataFrame(counts, columns=list(symbols), index=pd.RangeIndex(1, len(counts) + 1))
        bits = logomaker.transform_matrix(table, from_type="counts", to_type="information", pseudocount=0)
        logomaker.Logo(bits, ax=axes, color_scheme="classic")
        axes.set(ylabel="bits", title=f"{name}, {len(tokens):,} sequences", ylim=(0, 2), xticks=table.index)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def sudokus(tokens: Tokens, symbols: str) -> Figure:
    """Grids side by side; frames are green around valid ones and red around others."""
    shown, valid = np.asarray(tokens)[:MOST_GRIDS], valid_sudokus(tokens)
    side = round(shown.shape[1] ** 0.5)
    box, columns = round(side**0.5), min(COLUMNS if side == 4 else 3, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(0.3 * side * columns, 0.3 * side * rows + 0.3), layout="constrained")
    figure.suptitle(f"{valid.mean():.1%} of {len(tokens):,} grids are valid", fontsize=9)
    for index, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.set(xlim=(0, side), ylim=(side, 0), aspect="equal", xticks=[], yticks=[], visible=index < len(shown))
        if index >= len(shown):
            continue
        for cell, token in enumerate(shown[index]):
            axes.text(cell % side + 0.5, cell // side + 0.5, symbols[token], ha="center", va="center", fontsize=7)
        for line in range(1, side):
            width = 0.9 if line % box == 0 else 0.3
            axes.axhline(line, linewidth=width, color="#555555")
            axes.axvline(line, linewidth=width, color="#555555")
        for spine in axes.spines.values():
            spine.set(color=_RIGHT if valid[index] else _WRONG, linewidth=1.6)
    return figure
