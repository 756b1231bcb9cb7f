"""The verb `board`: ratings with intervals from a table of votes."""

import json
import re
from typing import Any

import numpy as np
from onepaper.display.file_bytes import figure_png
from onepaper.display.gallery import save_samples, write_gallery
from onepaper.errors import UsageError
from onepaper.paper import Invocation

from imagen3.cli.options import BoardOptions
from imagen3.human.board import Board, board_of
from imagen3.human.bootstrap import Unit
from imagen3.human.figures import BoardBars, ratings_figure
from imagen3.human.online import online_elo
from imagen3.human.votes import Vote, read_votes

_UNITS: dict[str, Unit | None] = {"raters": "rater", "prompts": "prompt", "independent": None}


def board_verb(call: Invocation) -> None:
    """Print the board of each aspect and prompt set; write figures, tables and `ratings.json` into the run folder."""
    options = call.options
    assert isinstance(options, BoardOptions)
    if options.dry_run:
        print(f"would compute ratings from {options.votes}")
        return
    boards, left_out = read_boards(options)  # before the run folder is created
    interval = f"{options.confidence:.3g} intervals, {options.interval}"
    summaries, files = dict[str, Any](), dict[str, bytes]()
    for title, board in boards.items():
        name = re.sub(r"[^\w-]+", "-", title)
        summaries[title] = summary_of(board, options.online_k)
        text = "\n".join(lines_of(title, summaries[title]))
        print(text, end="\n\n")
        files[f"{name}.png"] = figure_png(ratings_figure({title: BoardBars(board.ratings, board.ends)}, interval))
        files[f"{name}.txt"] = f"{text}\n".encode()
    files["ratings.json"] = json.dumps(summaries, indent=1, ensure_ascii=False).encode()
    with call.open_run() as run:
        save_samples(run.folder, files)
        page = write_gallery(run.folder, f"Ratings from {options.votes}")
    print(f"{left_out} votes with flags left out; ties '{options.ties}', {interval}; {page}")


def read_boards(options: BoardOptions) -> tuple[dict[str, Board], int]:
    """Boards by aspect and prompt set, and the number of votes that are left out."""
    votes = read_votes(options.votes)
    groups = dict[str, list[Vote]]()
    for vote in votes:
        if options.keep_flagged or not vote.flags:
            groups.setdefault(f"{vote.aspect}, {vote.prompt_set}", []).append(vote)
    if not groups:
        raise UsageError(f"all {len(votes)} votes of {options.votes} have flags; --keep-flagged takes them")
    given = {name: getattr(options, name) for name in ("ties", "confidence", "resamples", "prior_sd", "reach", "seed")}
    boards = {title: board_of(own, unit=_UNITS[options.interval], **given) for title, own in groups.items()}
    return boards, len(votes) - sum(map(len, groups.values()))


def summary_of(board: Board, online_k: float | None) -> dict[str, Any]:
    """A board as values for JSON."""
    summary: dict[str, Any] = {
        "votes": len(board.votes.pair),
        "tie_rate": board.tie_rate,
        "tie_parameter": board.ratings.tie_parameter,
        "ratings": [dict(zip(("model", "elo", "low", "high"), row, strict=True)) for row in board.rows()],
        "win_shares": [[None if np.isnan(share) else share for share in row] for row in board.win_shares.tolist()],
        "missing_matches": board.missing,
    }
    if online_k is not None:
        summary["online"] = dict(zip(board.votes.models, online_elo(board.votes, online_k).tolist(), strict=True))
    return summary


def lines_of(title: str, summary: dict[str, Any]) -> list[str]:
    """A board as text: ratings with intervals, and win shares in percent with ties as half."""
    width = max(len(row["model"]) for row in summary["ratings"])
    lines = [f"{title}: {summary['votes']:,} votes, {summary['tie_rate']:.1%} ties"]
    for row, shares in zip(summary["ratings"], summary["win_shares"], strict=True):
        online = f"  online {summary['online'][row['model']]:.0f}" if "online" in summary else ""
        percent = " ".join("    -" if share is None else f"{100 * share:5.1f}" for share in shares)
        rating = f"{row['elo']:6.0f} [{row['low']:.0f}, {row['high']:.0f}]{online}"
        lines.append(f"{row['model']:<{width}}  {rating}  {percent}")
    return [*lines, *(f"no votes yet: {first} and {second}" for first, second in summary["missing_matches"])]
