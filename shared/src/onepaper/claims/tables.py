"""Recorded results as Markdown: the claims table of a paper, the table of papers, single numbers in prose.

Comments mark the parts of a file that are written from `results/`:

    <!-- claims:begin --> ... <!-- claims:end -->                   the claims table of one paper
    <!-- papers:begin --> ... <!-- papers:end -->                   all papers with counts of verdicts
    <!-- all-claims:begin --> ... <!-- all-claims:end -->           the claims of all papers, each with an anchor
    <!-- result:C1:reverse accuracy -->0.64<!-- /result -->         one measured value (or `headline`, `verdict`)
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from onepaper.claims.results import Outcome, PaperLedger, count_verdicts, recorded_outcomes
from onepaper.errors import OnePaperError, UsageError
from onepaper.progress import format_seconds
from onepaper.runs import write_atomic

_INLINE = re.compile(r"(<!-- result:([^:]+?):(.+?) -->)(.*?)(<!-- /result -->)", re.DOTALL)


def claims_table(paper: PaperLedger) -> str:
    """The claims of a paper with the paper's numbers, ours and the verdict."""
    rows = [
        (
            f"**{outcome.claim.id}**",
            f"{markdown_cell(outcome.claim.statement)} ({markdown_cell(outcome.claim.place)})",
            markdown_cell(outcome.claim.paper),
            f"`{outcome.headline}`" if outcome.verdict == "paper scale" else markdown_cell(outcome.headline),
            _verdict_cell(outcome),
            outcome.claim.tier if outcome.claim.rule.needs_measure else "",
        )
        for outcome in recorded_outcomes(paper)
    ]
    return markdown_table(("id", "claim", "paper", "measured here", "verdict", "tier"), rows)


def papers_table(papers: Sequence[PaperLedger]) -> str:
    """One row a paper: title, framework and how many claims came to which verdict; links as from the root."""
    columns = ("reproduced", "not reproduced", "inconclusive")
    rows: list[Sequence[str]] = []
    for paper in papers:
        outcomes = recorded_outcomes(paper)
        counts = count_verdicts(outcomes)
        others = "; ".join(f"{count} {verdict}" for verdict, count in counts.items() if verdict not in columns)
        stale = sum(bool(outcome.mark) for outcome in outcomes)
        marked = "; ".join(filter(None, [f"**{stale} stale**" if stale else "", others]))
        measured = [str(counts.get(verdict, 0)) for verdict in columns]
        rows.append(
            (f"[{paper.name}](packages/{paper.name})", markdown_cell(paper.title), paper.framework, *measured, marked)
        )
    return markdown_table(("package", "paper", "framework", *columns, "others"), rows)


def all_claims_table(papers: Sequence[PaperLedger]) -> str:
    """The claims of all papers; each id has the anchor `PACKAGE-CLAIM` and links to it; pages as from `docs/`."""
    rows = [
        (
            f"[{paper.name}](papers/{paper.name}.md)",
            f'<a id="{paper.name}-{outcome.claim.id}"></a>[{outcome.claim.id}](#{paper.name}-{outcome.claim.id})',
            f"{markdown_cell(outcome.claim.statement)} ({markdown_cell(outcome.claim.place)})",
            "" if outcome.verdict == "paper scale" else markdown_cell(outcome.headline),
            _verdict_cell(outcome),
            outcome.claim.tier if outcome.claim.rule.needs_measure else "",
            format_seconds(outcome.result.seconds) if outcome.result else "",
            f"{outcome.result.peak_mib:,} MiB" if outcome.result and outcome.result.peak_mib else "",
        )
        for paper in papers
        for outcome in recorded_outcomes(paper)
    ]
    return markdown_table(("package", "id", "claim", "measured here", "verdict", "tier", "time", "memory"), rows)


def render_file(path: Path, paper: PaperLedger, check: bool = False) -> bool:
    """Write the claims table and the inline values of `paper` into a Markdown file; True if the file changed.

    Raises:
        UsageError: the file has nothing to render, a marker without its end, or a value that no result has.
        OnePaperError: `check` is set and the file says something else than the results; the line is shown.
    """
    text = _read(path)
    has_table = "<!-- claims:" in text
    if not has_table and not _INLINE.search(text):
        raise UsageError(f"{path} has no '<!-- claims:begin -->' and no '<!-- result:... -->'; nothing to render")
    rendered = _between(text, "claims", claims_table(paper), path) if has_table else text
    return _write(path, text, _fill_inline(rendered, paper, path), check)


def render_tables(path: Path, tables: Mapping[str, str], check: bool = False) -> bool:
    """Write tables between the comments of their names in a Markdown file; result and errors as in `render_file`."""
    before = text = _read(path)
    for marker, table in tables.items():
        text = _between(text, marker, table, path)
    return _write(path, before, text, check)


def _fill_inline(text: str, paper: PaperLedger, path: Path) -> str:
    if text.count("<!-- result:") != len(_INLINE.findall(text)):
        raise UsageError(f"{path} has a '<!-- result:CLAIM:VALUE -->' without its '<!-- /result -->'")
    outcomes = {outcome.claim.id: outcome for outcome in recorded_outcomes(paper)} if _INLINE.search(text) else {}

    def fill(match: re.Match[str]) -> str:
        opening, claim_id, name, _, closing = match.groups()
        outcome = outcomes.get(claim_id)
        if outcome is None or outcome.result is None:
            raise UsageError(f"{path}: '{opening}' has no recorded result; record {claim_id} or remove the marker")
        result = outcome.result
        value = getattr(outcome, name) if name in ("headline", "verdict") else result.value(name).short
        return f"{opening}{value}{f' ({outcome.mark})' if outcome.mark else ''}{closing}"

    return _INLINE.sub(fill, text)


def _between(text: str, marker: str, content: str, path: Path) -> str:
    begin, end = f"<!-- {marker}:begin -->", f"<!-- {marker}:end -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(end) < text.index(begin):
        raise UsageError(f"{path} needs one '{begin}' and one '{end}' after it")
    return f"{text[: text.index(begin)]}{begin}\n{content}\n{text[text.index(end) :]}"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def _write(path: Path, before: str, after: str, check: bool) -> bool:
    if before == after:
        return False
    if check:
        old, new = before.splitlines(), after.splitlines()
        pairs = itertools.zip_longest(old, new, fillvalue="nothing")
        line, (says, wanted) = next((i, pair) for i, pair in enumerate(pairs, 1) if pair[0] != pair[1])
        raise OnePaperError(
            f"{path}:{line} disagrees with the recorded results: it has '{says}', they have '{wanted}'; render it again"
        )
    write_atomic(path, after)
    return True


def _verdict_cell(outcome: Outcome) -> str:
    return f"{outcome.verdict} **({outcome.mark})**" if outcome.mark else outcome.verdict


def markdown_cell(text: str) -> str:
    """Text that stays inside its cell: no line breaks, no column breaks, no markup by accident."""
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells, which are Markdown already, below a header."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
