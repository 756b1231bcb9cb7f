"""Claims C1a, C2, C3, C4a and C18: the printed boards recomputed from the printed shares of wins.

The report gives neither the votes nor the ties. It is asked whether there is one tie rate for each board with which a
joint fit without ties gives the printed ratings, and whether the order of the models is that of the report.
"""

from collections.abc import Sequence

import numpy as np
from onepaper.claims import ClaimContext, Evidence, Measurement, Plot, Table
from scipy.stats import kendalltau

from imagen3.human.elo import Ratings
from imagen3.human.figures import BoardBars, ratings_figure
from imagen3.human.published import PublishedBoard, published_boards

BEST = "Imagen 3-002"


def overall(_context: ClaimContext) -> Evidence:
    """Claim C1a: the boards of figure 2 of the paper."""
    return recomputed(boards_of(2))


def alignment(_context: ClaimContext) -> Evidence:
    """Claim C2: the boards of figure 3 of the paper."""
    return recomputed(boards_of(3))


def appeal(_context: ClaimContext) -> Evidence:
    """Claim C3: the boards of figure 4 of the paper, and how far apart the intervals of the first two are."""
    boards = boards_of(4)
    apart = [
        Measurement.exact(f"space between the first two intervals, {board.prompt_set}", space(refitted(board)[1]))
        for board in boards
        if board.prompt_set != "DrawBench"
    ]
    return recomputed(boards, apart)


def detail(_context: ClaimContext) -> Evidence:
    """Claim C4a: the board of figure 5 of the paper, with the lead of its first model."""
    (board,) = boards_of(5)
    first, second = np.sort(refitted(board)[1].elo)[::-1][:2]
    return recomputed([board], [Measurement.exact("lead of the first model", first - second, "Elo")])


def later_models(_context: ClaimContext) -> Evidence:
    """Claim C18: the boards of figure 14 of the paper, with eleven models."""
    boards = boards_of(14)
    led = sum(board.models[refitted(board)[1].order()[0]] == BEST for board in boards)
    exchanged = sum(exchanged_pairs(board) for board in boards)
    return recomputed(
        boards,
        [
            Measurement.exact(f"boards that {BEST} leads", led),
            Measurement.exact("pairs of models in the opposite order", exchanged),
        ],
        names=[board.aspect for board in boards],
    )


def boards_of(figure: int) -> list[PublishedBoard]:
    """The boards of a figure."""
    return [board for board in published_boards() if board.figure == figure]


def refitted(board: PublishedBoard) -> tuple[float, Ratings]:
    """The tie rate of a board and the ratings with it."""
    rate = board.fit_tie_rate()
    return rate, board.refit(rate)


def space(ratings: Ratings) -> float:
    """From the upper end of the second interval to the lower end of the first; below 0 where they overlap."""
    (low, high), (first, second) = ratings.interval(), ratings.order()[:2]
    return float(low[first] - high[second])


def exchanged_pairs(board: PublishedBoard) -> int:
    """Pairs of models whose printed and recomputed orders are opposite."""
    signs = [np.sign(elo[:, None] - elo) for elo in (board.elo, refitted(board)[1].elo)]
    return int((signs[0] * signs[1] < 0).sum()) // 2


def recomputed(
    boards: Sequence[PublishedBoard], more: Sequence[Measurement] = (), names: Sequence[str] = ()
) -> Evidence:
    """Differences and ranks of boards, as numbers, a table and a figure; boards are named by their prompt sets."""
    names = names or [board.prompt_set for board in boards]
    found = [(board, *refitted(board)) for board in boards]
    gaps = [
        Measurement.exact(f"largest difference, {name}", np.abs(ratings.elo - board.elo).max(), "Elo")
        for name, (board, _, ratings) in zip(names, found, strict=True)
    ]
    correlations = [float(np.asarray(kendalltau(board.elo, ratings.elo)[0])) for board, _, ratings in found]
    rows = [
        (
            f"{board.title} (ties {rate:.1%}, tau {tau:.3f})",
            model,
            f"{printed:.0f}",
            f"{ratings.elo[index]:.1f}",
            f"{ratings.elo[index] - printed:+.1f}",
            f"{ratings.half_width()[index]:.1f}",
            f"{index + 1}, {ratings.order().index(index) + 1}",
        )
        for (board, rate, ratings), tau in zip(found, correlations, strict=True)
        for index, (model, printed) in enumerate(zip(board.models, board.elo, strict=True))
    ]
    header = ("board", "model", "printed", "recomputed", "difference", "half of the 99% interval", "ranks")
    figure = ratings_figure(
        {board.title: BoardBars(ratings, ratings.interval(), board.elo) for board, _, ratings in found},
        "99% intervals of 2,500 independent votes a pair",
    )
    return Evidence(
        "",
        [*gaps, Measurement.exact("smallest Kendall tau", min(correlations)), *more],
        [Table("Printed and recomputed ratings", header, rows), Plot("Recomputed ratings", figure)],
    )
