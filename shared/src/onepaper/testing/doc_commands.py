"""Shell commands in Markdown pages, so that tests can run what the documentation shows."""

import re
import shlex
from pathlib import Path

# Verbs that compute for long or write files; tests run them with --dry-run.
SLOW_VERBS = ("train", "sample", "tune", "evaluate", "reproduce", "simulate", "export", "gallery")
_BLOCK = re.compile(r"^```(?:bash|sh)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def commands(page: Path, paper: str) -> list[list[str]]:
    """The words after `onepaper` of every `onepaper PAPER ...` line in the page's shell blocks.

    Verbs of `SLOW_VERBS` get `--dry-run`. Lines continued by a backslash are joined; what follows `#` is dropped.
    """
    found = []
    for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:2] == ["onepaper", paper]:
                slow = len(words) > 2 and words[2] in SLOW_VERBS and "--help" not in words
                found.append([*words[1:], *(["--dry-run"] if slow else [])])
    return found
