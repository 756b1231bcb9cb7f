"""The verb `board`: ratings with intervals from a table of votes."""

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from onepaper.display.file_bytes import figure_png
from onepaper.display.gallery import save_samples, write_gallery
from onepaper.errors import UsageError
from onepaper.paper import Invocation

from imagen3.cli.options import BoardOptions
from imagen3.human.bootstrap import bootstrap_intervals
from imagen3.human.elo import fit_ratings
from imagen3.human.figures import RatingRow, ratings_figure
from imagen3.human.matches import missing_matches
from imagen3.human.online import online_elo
from imagen3.human.votes import Vote, comparisons, pair_indices, read_votes, win_shares


def board_verb(call: Invocation) -> None:
    """Print the board of each aspect and prompt set; write figures, tables and `ratings.json` into the run folder."""
    options = call.options
    assert isinstance(options, BoardOptions)
    if options.dry_run:
        print(f"would compute ratings from {options.votes}")
        return
    votes = read_votes(options.votes)
    kept = [vote for vote in votes if options.keep_flagged or not vote.flags]
    if not kept:
        raise UsageError(f"all {len(votes)} votes of {options.votes} have flags; --keep-flagged takes them")
    groups: dict[str, list[Vote]] = {}
    for vote in kept:
        groups.setdefault(f"{vote.aspect}, {vote.prompt_set}", []).append(vote)
    boards = {title: board_of(own, options) for title, own in groups.items()}  # before the run folder is created
    files: dict[str, bytes] = {"ratings.json": json.dumps(boards, indent=1, ensure_ascii=False).encode()}
    interval = f"{options.confidence:.3g} intervals, {options.interval}"
    for title, board in boards.items():
        rows = {row["model"]: RatingRow(row["elo"], row["low"], row["high"]) for row in board["ratings"]}
        name = re.sub(r"[^\w-]+", "-", title)
        files[f"{name}.png"] = figure_png(ratings_figure({title: rows}, interval))
        files[f"{name}.txt"] = ("\n".join(board_lines(title, board)) + "\n").encode()
        print("\n".join(board_lines(title, board)), end="\n\n")
    with call.open_run() as run:
        save_samples(run.folder, files)
        page = write_gallery(run.folder, f"Ratings from {options.votes}")
    print(f"{len(votes) - len(kept)} votes with flags left out; ties '{options.ties}', {interval}; {page}")


def board_of(votes: Sequence[Vote], options: BoardOptions) -> dict[str, Any]:
    """Ratings, best first, with win shares in that order, and the matches that are missing."""
    found = comparisons(votes)
    counts = found.counts()
    ratings = fit_ratings(found.models, counts, options.ties, options.prior_sd)
    ends = ratings.half_width(options.confidence)
    low, high = ratings.elo - ends, ratings.elo + ends
    if options.interval != "independent":
        low, high, _ = bootstrap_intervals(
            found,
            np.random.default_rng(options.seed),
            ties=options.ties,
            unit="rater" if options.interval == "raters" else "prompt",
            resamples=options.resamples,
            confidence=options.confidence,
            prior_sd=options.prior_sd,
        )
    online = None if options.online_k is None else online_elo(found, options.online_k)
    order = ratings.order()
    compared = np.zeros((len(order), len(order)))
    compared[pair_indices(len(order))] = counts.sum(1)
    compared += compared.T
    shares = win_shares(len(order), counts)[np.ix_(order, order)]
    names = [found.models[index] for index in order]
    return {
        "votes": len(votes),
        "tie_rate": float(counts[:, 2].sum() / counts.sum()),
        "tie_parameter": ratings.tie_parameter,
        "ratings": [
            {
                "model": found.models[index],
                "elo": float(ratings.elo[index]),
                "low": float(low[index]),
                "high": float(high[index]),
                "online": None if online is None else float(online[index]),
            }
            for index in order
        ],
        "win_shares": [[None if np.isnan(share) else float(share) for share in row] for row in shares],
        "missing_matches": missing_matches(names, compared[np.ix_(order, order)], options.reach),
    }


def board_lines(title: str, board: dict[str, Any]) -> list[str]:
    """A board as text: ratings with intervals, and win shares in percent with ties as half."""
    width = max(len(row["model"]) for row in board["ratings"])
    lines = [f"{title}: {board['votes']:,} votes, {board['tie_rate']:.1%} ties"]
    for row, shares in zip(board["ratings"], board["win_shares"], strict=True):
        online = "" if row["online"] is None else f"  online {row['online']:.0f}"
        percent = " ".join("    -" if share is None else f"{100 * share:5.1f}" for share in shares)
        rating = f"{row['elo']:6.0f} [{row['low']:.0f}, {row['high']:.0f}]{online}"
        lines.append(f"{row['model']:<{width}}  {rating}  {percent}")
    for first, second in board["missing_matches"]:
        lines.append(f"no votes yet: {first} and {second}")
    return lines
