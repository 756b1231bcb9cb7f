"""Pages from the package's templates."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_TEMPLATES = Path(__file__).with_name("templates")


def render(template: str, filters: Mapping[str, Callable[[Any], str]] | None = None, **values: Any) -> str:
    """A template with its values, which are escaped; a name in it that has no value is an error."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= dict(filters or {})
    return environment.get_template(template).render(**values)
