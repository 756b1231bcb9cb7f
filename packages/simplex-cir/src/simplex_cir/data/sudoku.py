"""Sudoku grids: all valid 4 x 4 grids, random 9 x 9 grids, and the checks of their constraints."""

import itertools
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int
from onepaper.config import check_positive
from onepaper.errors import UsageError

from simplex_cir.data.dataset import Tokens


@lru_cache(maxsize=1)
def small_sudokus() -> Tokens:
    """All 288 valid 4 x 4 grids, row by row."""
    rows = np.array(list(itertools.permutations(range(4))))
    grids = rows[np.array(list(itertools.product(range(24), repeat=4)))]
    return grids[valid_sudokus(grids.reshape(-1, 16))].reshape(-1, 16)


def sudokus(count: int, generator: np.random.Generator, *, relatives: int = 16) -> Tokens:
    """Valid 9 x 9 grids, row by row: filled at random by backtracking, then transformed by symmetries.

    Args:
        count: number of grids.
        generator: source of randomness.
        relatives: grids derived from each filled one, by permuting digits, rows and columns within bands, bands, and
            the axes; 1 fills every grid by itself, which takes longer.
    """
    check_positive("count", count)
    check_positive("relatives", relatives)
    grids = np.empty((count, 81), dtype=np.int64)
    filled = np.empty((9, 9), dtype=np.int64)
    for index in range(count):
        if index % relatives == 0:
            filled = _filled_sudoku(generator)
        rows, columns = (
            np.concatenate([3 * band + generator.permutation(3) for band in generator.permutation(3)]) for _ in range(2)
        )
        grid = generator.permutation(9)[filled][rows][:, columns]
        grids[index] = (grid.T if generator.random() < 0.5 else grid).ravel()
    return grids


def _filled_sudoku(generator: np.random.Generator) -> Int[np.ndarray, "9 9"]:
    """One valid grid: cells with fewest possibilities first, digits in random order, with backtracking."""
    grid = np.full((9, 9), -1, dtype=np.int64)
    free = {"row": [511] * 9, "column": [511] * 9, "box": [511] * 9}
    empty = [(row, column) for row in range(9) for column in range(9)]

    def options(cell: tuple[int, int]) -> int:
        row, column = cell
        return free["row"][row] & free["column"][column] & free["box"][row // 3 * 3 + column // 3]

    def toggle(cell: tuple[int, int], bit: int) -> None:
        row, column = cell
        free["row"][row] ^= bit
        free["column"][column] ^= bit
        free["box"][row // 3 * 3 + column // 3] ^= bit

    def fill() -> bool:
        if not empty:
            return True
        cell = min(empty, key=lambda cell: options(cell).bit_count())
        possible = [digit for digit in range(9) if options(cell) >> digit & 1]
        empty.remove(cell)
        for digit in generator.permutation(possible) if possible else ():
            toggle(cell, 1 << int(digit))
            grid[cell] = digit
            if fill():
                return True
            toggle(cell, 1 << int(digit))
        empty.append(cell)
        return False

    fill()
    return grid


def valid_sudokus(tokens: Tokens) -> np.ndarray:
    """Whether each grid has every symbol once in every row, column and box."""
    return satisfied_constraints(tokens) == 1.0


def satisfied_constraints(tokens: Tokens) -> Float[np.ndarray, " count"]:
    """Share of rows, columns and boxes in which no symbol repeats, for each grid.

    Raises:
        UsageError: a number of cells other than that of a square grid of square boxes.
    """
    side = round(tokens.shape[1] ** 0.5)
    box = round(side**0.5)
    if side**2 != tokens.shape[1] or box**2 != side:
        raise UsageError(f"grids have {tokens.shape[1]} cells, expected 16 or 81")
    grids = np.asarray(tokens).reshape(-1, side, side)
    boxes = grids.reshape(-1, box, box, box, box).transpose(0, 1, 3, 2, 4).reshape(-1, side, side)
    units = np.concatenate([grids, grids.transpose(0, 2, 1), boxes], axis=1)
    return (np.sort(units, axis=2) == np.arange(side)).all(axis=2).mean(axis=1)
