"""Definitions that no claim's measurement uses, so that no recorded result depends on them.

A dispatch such as `LOADERS[config.dataset]` refers to the readers of every kind of data, although a claim measures on
data that ship. `unmeasured` marks those that it never runs: the fingerprint of a claim leaves them out, and using one
while a claim is measured is an error, so that the mark cannot be wrong.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

from onepaper.errors import OnePaperError

Definition = TypeVar("Definition", bound=Callable[..., Any])

_measured: list[str] = []


@contextlib.contextmanager
def measurement(claim: str) -> Iterator[None]:
    """A claim is being measured, in all threads of this process."""
    _measured.append(claim)
    try:
        yield
    finally:
        _measured.pop()


def unmeasured(definition: Definition) -> Definition:
    """Mark a function or class that no measurement uses: a reader of the user's files, a tokenizer of no claim.

    Raises:
        OnePaperError: on a call, or on making an instance, while a claim is measured.
    """
    called: Callable[..., Any] = definition.__init__ if isinstance(definition, type) else definition

    @functools.wraps(called)
    def checked(*args: Any, **options: Any) -> Any:
        if _measured:
            raise OnePaperError(
                f"claim {_measured[-1]} uses {definition.__module__}.{definition.__qualname__}, which is marked as "
                "unmeasured; remove the mark, so that the claim's fingerprint covers it"
            )
        return called(*args, **options)

    if not isinstance(definition, type):
        return cast(Definition, checked)
    setattr(definition, "__init__", checked)  # noqa: B010 - a class of unknown arguments
    return cast(Definition, definition)
