"""Names and texts in two columns, as help texts have them."""

import textwrap
from collections.abc import Iterable

WIDTH = 80
_FIRST = 24


def columns(rows: Iterable[tuple[str, str]], mark: str = "") -> list[str]:
    """Names and texts in two columns of together `WIDTH` characters, as argparse lays them out; `mark` stands first."""
    lines = []
    for name, text in rows:
        indent = " " * (_FIRST + 3)
        wrapped = textwrap.wrap(text, WIDTH - len(indent)) or [""]
        sign = "*" if name == mark else " "
        if len(name) > _FIRST - 1:
            lines += [f"{sign} {name}", *(indent + line for line in wrapped)]
        else:
            lines += [f"{sign} {name:<{_FIRST}} {wrapped[0]}".rstrip(), *(indent + line for line in wrapped[1:])]
    return lines
