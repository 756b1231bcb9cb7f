"""The help of every verb of every paper: usage first, 80 columns, no boxes, no defaults that say nothing."""

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from render_results import papers

from onepaper.cli.columns import WIDTH
from onepaper.cli.common_verbs import verbs_of
from onepaper.cli.help import paper_help
from onepaper.cli.parsing import parse
from onepaper.paper import Paper

ROOT = Path(__file__).parents[2]
# `None` may be a value to type, and no default to read.
SAYS_NOTHING = re.compile(r"\{None\}|None:|default: None|\(default:\s*(?:''|\(\)|\[\]|\{\})?\)|[│╭╰─]")


@pytest.mark.parametrize("paper", papers(ROOT), ids=lambda paper: paper.name)
def test_help_of_every_verb(paper: Paper, capsys: pytest.CaptureFixture[str]) -> None:
    print(paper_help(paper))
    texts = {"": capsys.readouterr().out}
    for name, verb in verbs_of(paper).items():
        assert parse(paper, verb, ["--help"]) is None
        texts[name] = capsys.readouterr().out
    for name, text in texts.items():
        assert text.startswith(f"usage: onepaper {paper.name} {name}"), name
        assert max(map(len, text.splitlines())) <= WIDTH, name
        assert not (found := SAYS_NOTHING.search(text)), f"{name}: {found}"
