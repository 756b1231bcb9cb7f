"""A mkdocs hook: formulas become MathML when the site is built, so a page needs neither script nor network for them."""

import re
from typing import Any

from latex2mathml.converter import convert

_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)


def on_page_content(html: str, **_: Any) -> str:
    """Replace what pymdownx.arithmatex marked."""

    def to_mathml(found: re.Match[str]) -> str:
        import html as entities

        return convert(entities.unescape(found.group(3)), display="block" if found.group(2) == "[" else "inline")

    return _FORMULA.sub(to_mathml, html)
