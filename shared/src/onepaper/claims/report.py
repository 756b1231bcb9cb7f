"""The report of a run: a table in the terminal and one self-contained HTML file."""

import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onepaper.claims import Rule
from onepaper.claims.artifacts import page_part, recorded_page_part
from onepaper.claims.results import MeasuredValue, Outcome, PaperLedger, by_origin, count_verdicts
from onepaper.display.html import render
from onepaper.progress import format_seconds
from onepaper.runs import write_atomic

# Verdict or state -> its colour in the terminal. The report's template has its own in CSS.
_TERMINAL_COLOURS = {
    "reproduced": "green",
    "not reproduced": "red",
    "inconclusive": "yellow",
    "paper scale": "blue",
    "not testable": "bright_black",
    "observation": "magenta",
    "failed": "bold white on red",
    "not run": "bright_black",
}


def print_outcomes(outcomes: Sequence[Outcome], title: str) -> None:
    """Print the claims with the paper's numbers, ours, verdict and time."""
    from rich.console import Console
    from rich.table import Table as TerminalTable
    from rich.text import Text

    table = TerminalTable(title=title, title_justify="left", title_style="bold", show_lines=True, expand=False)
    for heading, options in (
        ("id", {"no_wrap": True}),
        ("claim", {"ratio": 3}),
        ("paper", {"ratio": 2}),
        ("measured here", {"ratio": 3}),
        ("verdict", {"min_width": 14}),
        ("time", {"justify": "right", "no_wrap": True}),
    ):
        table.add_column(heading, **options)  # type: ignore[arg-type]
    for outcome in outcomes:
        verdict = Text(outcome.verdict, style=_TERMINAL_COLOURS[outcome.verdict])
        if outcome.state == "recorded":
            verdict.append(f"\nrecorded{f', {outcome.mark}' if outcome.mark else ''}", style="dim")
        elif outcome.state == "finished":
            verdict.append("\nfinished before", style="dim")
        seconds = format_seconds(outcome.result.seconds) if outcome.result is not None else ""
        # `Text`, because plain strings would have their [brackets] read as markup.
        cells = (outcome.claim.id, outcome.claim.statement, outcome.claim.paper, outcome.headline)
        table.add_row(*map(Text, cells), verdict, Text(seconds))
    # In a log or a pipe there is no width to ask for, and rich's 80 columns would fold every cell.
    Console(width=None if sys.stdout.isatty() else 140).print(table)


def write_report(path: Path, paper: PaperLedger, outcomes: Sequence[Outcome], record: Mapping[str, Any]) -> None:
    """Write the report atomically.

    Args:
        record: the run's `run.json`: command, options, commit, hardware, environment, started.
    """
    write_atomic(path, render_report(paper, outcomes, record))


def render_report(paper: PaperLedger, outcomes: Sequence[Outcome], record: Mapping[str, Any]) -> str:
    """The report as HTML: no scripts, no external files."""
    return render(
        "report.html.j2",
        {"seconds": format_seconds, "slug": lambda text: re.sub(r"\W+", "-", str(text))},
        paper=paper,
        arxiv=getattr(paper, "arxiv", ""),
        groups={name: count_verdicts(group) for name, group in by_origin(outcomes).items()},
        sections=[_section(outcome) for outcome in outcomes],
        command=record["command"],
        provenance=_provenance(record),
    )


def _section(outcome: Outcome) -> dict[str, Any]:
    measured = outcome.result.measured if outcome.result is not None else ()
    rule = outcome.claim.rule.to_dict()
    rows = zip(measured, _axes(measured, _bounds(rule)), _remarks(measured, rule), strict=True)
    return {
        "outcome": outcome,
        "claim": outcome.claim,
        "rule": _by_line(_rule_text(outcome.claim.rule)),
        "reason": _by_line(outcome.result.reason) if outcome.result is not None else "",
        "measured": list(rows),
        "artifacts": _artifacts(outcome),
    }


def _artifacts(outcome: Outcome) -> list[dict[str, Any]]:
    """What a claim shows, as measured now or as recorded."""
    if outcome.artifacts or outcome.result is None:
        return [page_part(artifact) for artifact in outcome.artifacts]
    if outcome.state == "measured":
        return []
    if outcome.result.artifacts is None:
        text = "Figures and tables are not stored with this result; they are shown when the claim is measured."
        return [{"kind": "note", "text": text}]
    return [recorded_page_part(artifact, outcome.folder) for artifact in outcome.result.artifacts]


def _rule_text(rule: Rule) -> str:
    """The rule in words; a long family of p-values is counted, since the table below lists it."""
    text = rule.describe()
    for part in _parts(rule.to_dict()):
        if part["rule"] == "HolmNotRejected" and len(part["names"]) > 4:
            text = text.replace(", ".join(part["names"]), f"the {len(part['names'])} p-values below")
    return text


def _by_line(text: str) -> str:
    """Numbered conditions, "... hold: (1) ...; (2) ...", on a line each."""
    return re.sub(r"(?<=[:;]) (?=\(\d+\) )", "\n", text)


def _parts(rule: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A rule and the rules that it joins."""
    yield rule
    for part in rule.get("rules", ()):
        yield from _parts(part)


def _bounds(rule: Mapping[str, Any]) -> dict[str, list[float]]:
    """What the rule compares each quantity with."""
    found: dict[str, list[float]] = {}
    for part in _parts(rule):
        if part["rule"] in ("Above", "Below"):
            found.setdefault(part["name"], []).append(part["bound"])
        elif part["rule"] == "Within":
            ends = [part["target"] - part["tolerance"], part["target"] + part["tolerance"]]
            found.setdefault(part["name"], []).extend(ends)
    return found


def _remarks(measured: Sequence[MeasuredValue], rule: Mapping[str, Any]) -> list[str]:
    """For p-values: that they are, and their value after Holm's correction."""
    from onepaper.claims.statistics import holm

    remarks: dict[str, str] = {}
    values = {value.name: value.mean for value in measured}
    for part in _parts(rule):
        p_values = [values.get(name) for name in part["names"]] if part["rule"] == "HolmNotRejected" else []
        known = [value for value in p_values if value is not None]
        if p_values and len(known) == len(p_values):
            corrected = zip(part["names"], holm(known), strict=True)
            remarks |= {name: f"p-value; {value:.3g} after Holm's correction" for name, value in corrected}
    return [remarks.get(value.name, "") for value in measured]


def _provenance(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The run's record in words."""
    machine = dict(record["hardware"])
    accelerators = ", ".join(machine.pop("accelerators")) or "none"
    hardware = f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}"
    seeds = record["options"].get("seeds")
    return [
        ("commit", record["commit"] or "unknown (not a git checkout)"),
        ("started", record["started"]),
        ("seeds", ", ".join(map(str, seeds)) if seeds else "as many as each claim asks for"),
        ("options", ", ".join(f"{name}={value}" for name, value in record["options"].items())),
        ("hardware", f"{hardware}; accelerators: {accelerators}"),
        ("versions", ", ".join(f"{name} {version}" for name, version in record["environment"].items())),
    ]


@dataclass(frozen=True)
class _Axis:
    """An interval and the bounds of the rule on a line, in percent of its length."""

    low: float
    mean: float
    high: float
    bounds: tuple[float, ...] = ()
    label: str = ""


def _axes(measured: Sequence[MeasuredValue], bounds: Mapping[str, Sequence[float]]) -> list[_Axis | None]:
    """Each interval beside the bounds that the rule compares it with, or on a line with the others of its unit."""
    shared: dict[str, tuple[float, float]] = {}
    for unit in {value.unit for value in measured}:
        ends = [end for value in measured if value.unit == unit for end in _ends(value)]
        # One value alone has nothing to be compared with.
        if len(ends) > 3 and max(ends) > min(ends):
            shared[unit] = (min(ends), max(ends) - min(ends))

    def axis(value: MeasuredValue) -> _Axis | None:
        ends, limits = _ends(value), [bound for bound in bounds.get(value.name, ()) if math.isfinite(bound)]
        if not ends:
            return None
        if limits:
            low, high = min(*ends, *limits), max(*ends, *limits)
            margin = (high - low) / 8 or abs(high) / 8 or 1.0
            start, length = low - margin, high - low + 2 * margin
        elif value.unit in shared:
            start, length = shared[value.unit]
        else:
            return None
        shown = [round(100 * (end - start) / length, 2) for end in (*ends, *limits)]
        label = f"bound {' and '.join(f'{limit:g}' for limit in limits)}" if limits else ""
        return _Axis(shown[0], shown[1], shown[2], tuple(shown[3:]), label)

    return [axis(value) for value in measured]


def _ends(value: MeasuredValue) -> tuple[float, float, float] | tuple[()]:
    if value.mean is None:
        return ()
    if value.low is None or value.high is None:
        return (value.mean, value.mean, value.mean)
    return (value.low, value.mean, value.high)
