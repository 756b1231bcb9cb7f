import numpy as np
import pytest
from onepaper.errors import UsageError

from simplex_cir.data.sudoku import satisfied_constraints, small_sudokus, sudokus, valid_sudokus


def is_valid_naively(grid: np.ndarray, side: int, box: int) -> bool:
    units = [grid[i] for i in range(side)] + [grid[:, i] for i in range(side)]
    units += [grid[r : r + box, c : c + box].ravel() for r in range(0, side, box) for c in range(0, side, box)]
    return all(sorted(unit) == list(range(side)) for unit in units)


def test_small_sudokus_are_all_of_them() -> None:
    grids = small_sudokus()
    assert len(np.unique(grids, axis=0)) == 288
    assert all(is_valid_naively(grid.reshape(4, 4), 4, 2) for grid in grids)


def test_sudokus_are_valid_and_different() -> None:
    grids = sudokus(40, np.random.default_rng(0), relatives=4)
    assert all(is_valid_naively(grid.reshape(9, 9), 9, 3) for grid in grids)
    assert len(np.unique(grids, axis=0)) == 40
    assert valid_sudokus(grids).all()
    broken = grids.copy()
    broken[:, 0] = broken[:, 1]
    assert not valid_sudokus(broken).any()
    # a repeated symbol breaks its row, its column or both, and its box
    assert set(np.round(27 * (1 - satisfied_constraints(broken))).astype(int)) <= {2, 3}
    np.testing.assert_array_equal(sudokus(3, np.random.default_rng(1)), sudokus(3, np.random.default_rng(1)))
    with pytest.raises(UsageError, match="16 or 81"):
        valid_sudokus(np.zeros((1, 10), int))
