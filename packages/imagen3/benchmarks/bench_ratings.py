"""Ratings with intervals over 1,000 resamples of raters, beside a loop over choix.

    python bench_ratings.py [--rounds 5] [--threads 1] [--output FILE]

The votes are those of the report's plan: 375,000 on ten boards of six models, drawn from known ratings. The loop does
what a user of choix would do: draw raters, count their votes, fit. It is timed on a few resamples of one board, and its
time is that of one times their number; both forms of its input are measured. All take turns in one process.
"""

import json
import statistics
import time
from collections.abc import Callable

import choix
import numpy as np
from onepaper.benchmark import option_parser, write_result

from imagen3.human.bootstrap import RESAMPLES, bootstrap_intervals
from imagen3.human.elo import fit_ratings
from imagen3.human.studies import PAPER_BOARDS, PAPER_MODELS, PAPER_RATERS, plan_studies, simulate
from imagen3.human.votes import Comparisons, pair_indices

ELO = np.array([1098.0, 1047.0, 1028.0, 1027.0, 941.0, 860.0])
TRIED = 3


def ours(boards: list[Comparisons]) -> None:
    """Ratings and percentile intervals of all boards."""
    for votes in boards:
        fit_ratings(votes.models, votes.counts())
        bootstrap_intervals(votes, np.random.default_rng(0))


def resample(votes: Comparisons, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Winner and loser of each vote of a resample of raters, without ties."""
    raters = int(votes.rater.max()) + 1
    drawn = np.bincount(generator.integers(raters, size=raters), minlength=raters)
    rows = np.repeat(np.arange(len(votes.rater)), drawn[votes.rater])
    rows = rows[votes.outcome[rows] < 2]
    pairs = np.stack(pair_indices(len(votes.models)))[:, votes.pair[rows]]
    first_wins = votes.outcome[rows] == 0
    return np.where(first_wins, pairs[0], pairs[1]), np.where(first_wins, pairs[1], pairs[0])


def of_lists(votes: Comparisons, generator: np.random.Generator) -> np.ndarray:
    """choix with a list of comparisons."""
    winners, losers = resample(votes, generator)
    return choix.ilsr_pairwise(len(votes.models), list(zip(winners.tolist(), losers.tolist(), strict=True)))


def of_tables(votes: Comparisons, generator: np.random.Generator) -> np.ndarray:
    """choix with a table of wins."""
    winners, losers = resample(votes, generator)
    models = len(votes.models)
    return choix.ilsr_pairwise_dense(np.bincount(winners * models + losers, minlength=models**2).reshape(models, -1))


def seconds(call: Callable[[], object]) -> float:
    """Wall-clock time of a call."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def main() -> None:
    """Measure in turns, and print medians."""
    given = option_parser(__doc__, rounds=5).parse_args()
    generator = np.random.default_rng(0)
    plan = plan_studies(PAPER_MODELS, PAPER_BOARDS, PAPER_RATERS, generator)
    boards = [simulate(plan, board, ELO, generator, tie_rate=0.1, rater_sd=50.0) for board in range(len(PAPER_BOARDS))]
    loops = {"choix, lists": of_lists, "choix, tables": of_tables}
    times: dict[str, list[float]] = {"ours": [], **{name: [] for name in loops}}
    for index in range(given.rounds + 1):
        found = {"ours": seconds(lambda: ours(boards))}
        for name, loop in loops.items():
            tried = [seconds(lambda loop=loop: loop(boards[0], generator)) for _ in range(TRIED)]
            found[name] = len(boards) * RESAMPLES * statistics.median(tried)
        if index:  # the first round warms up
            for name, own in found.items():
                times[name].append(own)
    medians = {name: statistics.median(own) for name, own in times.items()}
    ratios = {name: statistics.median(a / b for a, b in zip(times[name], times["ours"], strict=True)) for name in loops}
    print(json.dumps({"votes": len(plan.study), "seconds": medians, "ratios": ratios}, indent=1))
    result = {"threads": given.threads, "votes": len(plan.study), "seconds": times, "ratios": ratios}
    write_result(given.output, result, ("numpy", "scipy", "choix"))


if __name__ == "__main__":
    main()
