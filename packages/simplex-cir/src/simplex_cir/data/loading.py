"""The data set that a configuration names, and the check that a model fits it."""

import functools

import numpy as np
from onepaper.errors import UsageError

from simplex_cir.config import NUCLEOTIDES, DataConfig, LearnedConfig
from simplex_cir.data.dataset import Dataset
from simplex_cir.data.fasta import read_fasta
from simplex_cir.data.sequences import binary_digits, book_letters, read_text, splice_sites
from simplex_cir.data.sudoku import small_sudokus, sudokus

# 9 x 9 grids: seed of their generation, and numbers of grids for training and for each held-out part.
SUDOKU_SEED, SUDOKU_TRAIN, SUDOKU_HELD_OUT = 0, 50_000, 1000


@functools.lru_cache(maxsize=8)
def load(config: DataConfig, symbols: str = NUCLEOTIDES) -> Dataset:
    """The data set of a configuration; a FASTA file is read in the symbols of the model."""
    if config.dataset == "splice":
        return splice_sites()
    if config.dataset == "letters":
        return book_letters(config.length)
    if config.dataset == "digits":
        return binary_digits()
    if config.dataset == "sudoku4":
        grids = small_sudokus()  # all grids in each part: the aim is their distribution, not generalisation
        return Dataset("1234", grids, grids, grids)
    if config.dataset == "sudoku9":
        grids = sudokus(SUDOKU_TRAIN + 2 * SUDOKU_HELD_OUT, np.random.default_rng(SUDOKU_SEED))
        train, validation, test = np.split(grids, [SUDOKU_TRAIN, SUDOKU_TRAIN + SUDOKU_HELD_OUT])
        return Dataset("123456789", train, validation, test)
    assert config.path is not None
    if config.dataset == "text":
        return read_text(config.path, config.length)
    return read_fasta(config.path, config.length, symbols)


def check_fits(config: LearnedConfig, data: Dataset, advice: str = "set --model.symbols and --model.positions") -> None:
    """Raise `UsageError`, ending with the advice, unless symbols, positions and classes of the model fit the data."""
    model = config.model
    if (model.symbols, model.positions) != (data.symbols, data.positions):
        raise UsageError(
            f"model has the symbols {model.symbols!r} and {model.positions} positions, the data {data.symbols!r} and "
            f"{data.positions}; {advice}"
        )
    if model.num_classes and data.labels is None:
        raise UsageError(f"model has {model.num_classes} classes, but {config.data.dataset} has no labels")
