"""The checks of types and shapes that `nox -s coverage` turns on by jaxtyping's option of pytest."""

import functools
import operator
from collections.abc import Callable
from typing import Any, Literal, TypeVar, get_args, get_origin

from beartype import BeartypeConf, beartype
from beartype.roar import BeartypeDecorHintException

FunctionT = TypeVar("FunctionT", bound=Callable[..., object])

# As in PEP 484, an int is a float.
_CHECK = beartype(conf=BeartypeConf(is_pep484_tower=True))


def checked(function: FunctionT) -> FunctionT:
    """The function with checked arguments and results; itself, where a hint is of a kind that beartype lacks.

    A choice of values is checked as their type: that others are refused in one line is the task of the code.
    """
    for name, hint in list(function.__annotations__.items()):
        function.__annotations__[name] = _type_of_choice(hint)
    try:
        return _CHECK(function)
    except BeartypeDecorHintException:
        return function


def _type_of_choice(hint: Any) -> Any:
    if get_origin(hint) is not Literal:
        return hint
    return functools.reduce(operator.or_, {type(value) for value in get_args(hint)})
