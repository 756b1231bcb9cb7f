"""Commands of the pages, and those of claims at the paper's scale, are ones that the papers have.

Blocks marked `bash` of a paper's README, page, tutorials and guides are run by the tests of its package. Blocks of
other pages, and those marked `text`, need what a test lacks, such as a cluster or a folder of the reader's; like
sentences, they may have words in capitals for that.
"""

import re
import shlex
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from render_results import papers

from onepaper.claims.rules import PaperScale
from onepaper.cli.common_verbs import verbs_of
from onepaper.cli.parsing import parse
from onepaper.paper import Paper

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("packages/**/*.md"), ROOT / "shared" / "README.md"]
_TABLE = re.compile(r"<!-- (all-)?claims:begin.*?claims:end -->", re.DOTALL)
_BLOCK = re.compile(r"^ *```(?:text|bash|sh)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


def commands_of(text: str, paper: str) -> set[str]:
    """`onepaper PAPER VERB ...` in sentences and in blocks."""
    text = _TABLE.sub("", text)
    lines = [line for block in _BLOCK.findall(text) for line in block.replace("\\\n", " ").splitlines()]
    places = [*re.findall(r"`([^`\n]+(?:\n[^`\n]+)?)`", text), *lines]
    return {found[0] for place in places if (found := re.search(rf"\bonepaper {paper} \S.*", place, re.DOTALL))}


def check(paper: Paper, command: str) -> None:
    words = shlex.split(re.sub(r"\$\{?\w+\}?", "1", command), comments=True)[2:]
    verbs = verbs_of(paper)
    assert words[0] in verbs | {"--help": None}, command
    if words[0] != "--help":
        parse(paper, verbs[words[0]], [word for word in words[1:] if "..." not in word])


@pytest.mark.parametrize("paper", papers(ROOT), ids=lambda paper: paper.name)
def test_commands_are_understood(paper: Paper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: True)  # trackers need not be installed
    found = {command for page in PAGES for command in commands_of(page.read_text(encoding="utf-8"), paper.name)}
    for claim in paper.claims():
        if isinstance(claim.rule, PaperScale):
            found |= commands_of(f"`{claim.rule.command.partition('; ')[0]}`", paper.name)
    assert found
    for command in sorted(found):
        check(paper, command)
