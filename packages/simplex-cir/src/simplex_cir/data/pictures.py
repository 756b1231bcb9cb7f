"""Figures of sequences: a sequence logo, images of digits, Sudoku grids."""

from collections.abc import Mapping

import numpy as np
from einops import rearrange
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from onepaper.display.file_bytes import figure_png, tile_pictures
from onepaper.display.gallery import GIVEN_SUFFIX
from onepaper.display.plots import FONT, SAMPLES, SMALL_FONT

from simplex_cir.config import ModelConfig
from simplex_cir.data.dataset import decode
from simplex_cir.data.sudoku import valid_sudokus

Tokens = Int[np.ndarray, "count positions"]
# Maximal number of grids in a figure.
MOST_GRIDS = 32
COLUMNS = 8
SMALL_GRID_COLUMNS = 4
_RIGHT, _WRONG = "#0072b2", SAMPLES
# Known positions; the colour that pages have for given text.
_KNOWN = "#ffe6a8"


def picture(
    tokens: Tokens,
    config: ModelConfig,
    data: Int[np.ndarray, "data positions"] | None = None,
    known: Int[np.ndarray, " positions"] | None = None,
) -> Figure | None:
    """A figure of sequences; None for text.

    Args:
        tokens: sequences.
        config: of the model; its symbols decide the kind of figure: nucleotides, pixels or digits of a Sudoku.
        data: sequences of the data, shown beside the others in a logo.
        known: tokens that were given, negative at the other positions; shaded in logos and grids.
    """
    if set(config.symbols) <= set("ACGTU"):
        return logos({"drawn": tokens} | ({} if data is None else {"data": data}), config.symbols, known)
    if config.symbols == ".#":
        return tiles(images(tokens))
    if config.layout == "grid":
        return sudokus(tokens, config.symbols, known)
    return None


def sample_files(
    tokens: Tokens,
    config: ModelConfig,
    data: Int[np.ndarray, "data positions"] | None = None,
    known: Int[np.ndarray, " positions"] | None = None,
) -> dict[str, bytes]:
    """Sequences as files by name: `samples.txt`, one per line, and `samples.png` where there is a `picture`.

    Where tokens were given, `samples.given.txt` has them in every line, and `?` at the other positions.
    """
    files = {"samples.txt": "".join(f"{text}\n" for text in decode(tokens, config.symbols)).encode()}
    if known is not None:
        line = "".join("?" if token < 0 else config.symbols[token] for token in known)
        files[f"samples{GIVEN_SUFFIX}"] = (f"{line}\n" * len(tokens)).encode()
    figure = picture(tokens, config, data, known)
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


def logos(parts: Mapping[str, Tokens], symbols: str, known: Int[np.ndarray, " positions"] | None = None) -> Figure:
    """A sequence logo for each part: the height of a stack is the information at its position, in bits.

    Known positions are shaded in the first part.
    """
    import logomaker
    import pandas as pd

    figure = Figure(figsize=(5.4, 2.0 * len(parts)), layout="constrained")
    panels = figure.subplots(len(parts), 1, squeeze=False)[:, 0]
    for axes, (name, tokens) in zip(panels, parts.items(), strict=True):
        counts = np.stack([np.bincount(column, minlength=len(symbols)) for column in np.asarray(tokens).T])
        table = pd.DataFrame(counts, columns=list(symbols), index=pd.RangeIndex(1, len(counts) + 1))
        bits = logomaker.transform_matrix(table, from_type="counts", to_type="information", pseudocount=0)
        logomaker.Logo(bits, ax=axes, color_scheme="classic")
        axes.set(ylim=(0, 2), xticks=table.index, yticks=(0, 1, 2))
        axes.set_title(f"{name}, {len(tokens):,} sequences", fontsize=FONT)
        axes.set_ylabel("bits", fontsize=FONT)
        axes.tick_params(labelsize=SMALL_FONT)
        axes.spines[["top", "right"]].set_visible(False)
    panels[-1].set_xlabel("position", fontsize=FONT)
    given = () if known is None else np.flatnonzero(known >= 0) + 1
    for index, position in enumerate(given):
        panels[0].axvspan(
            position - 0.5, position + 0.5, color=_KNOWN, zorder=-1, label="given" if index == 0 else None
        )
    if len(given):
        panels[0].legend(loc="upper right", fontsize=SMALL_FONT)
    return figure


def sudokus(tokens: Tokens, symbols: str, known: Int[np.ndarray, " positions"] | None = None) -> Figure:
    """Grids side by side; frames are blue around valid ones, dashed orange around others; known cells are shaded."""
    shown, valid = np.asarray(tokens)[:MOST_GRIDS], valid_sudokus(tokens)
    side = round(shown.shape[1] ** 0.5)
    box, columns = round(side**0.5), min(SMALL_GRID_COLUMNS if side == 4 else 2, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(0.3 * side * columns, 0.3 * side * rows + 0.3), layout="constrained")
    figure.suptitle(f"{valid.mean():.1%} of {len(tokens):,} grids are valid (blue frame)", fontsize=FONT)
    for index, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.set(xlim=(0, side), ylim=(side, 0), aspect="equal", xticks=[], yticks=[], visible=index < len(shown))
        if index >= len(shown):
            continue
        for cell, token in enumerate(shown[index]):
            row, column = divmod(cell, side)
            axes.text(column + 0.5, row + 0.5, symbols[token], ha="center", va="center", fontsize=SMALL_FONT - 1)
            if known is not None and known[cell] >= 0:
                axes.fill_between([column, column + 1], row, row + 1, color=_KNOWN, linewidth=0)
        for line in range(1, side):
            width = 0.9 if line % box == 0 else 0.3
            axes.axhline(line, linewidth=width, color="#555555")
            axes.axvline(line, linewidth=width, color="#555555")
        for spine in axes.spines.values():
            spine.set(color=_RIGHT if valid[index] else _WRONG, linewidth=2.0, linestyle="-" if valid[index] else "--")
    return figure
