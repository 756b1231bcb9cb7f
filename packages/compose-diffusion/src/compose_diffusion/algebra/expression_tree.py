"""Syntax tree of an expression, as returned by `language.parse`. `str` of a tree is its canonical text.

Positions (indices into the parsed text) serve error messages and are ignored when trees are compared.
"""

import re
from dataclasses import dataclass, field

from onepaper.errors import UsageError

from compose_diffusion.algebra.composition import NEGATION_STRENGTH

_BARE_CONDITION = re.compile(r"""[^\[\]"'\s]([^\[\]"]*[^\[\]"\s])?""")


# Characters of a message.
LONGEST_PROBLEM = 400


class ExpressionError(UsageError):
    """An error in an expression: a message of one line, and a note (PEP 678) that marks its position by a caret.

    Args:
        problem: the error, what was expected, and what to do.
        text: the expression.
        position: index of the character, `len(text)` for the end.
    """

    def __init__(self, problem: str, text: str, position: int) -> None:
        if len(problem) > LONGEST_PROBLEM:  # the expression may hold a word of any length
            problem = f"{problem[: LONGEST_PROBLEM // 2]} ... {problem[-LONGEST_PROBLEM // 2 :]}"
        super().__init__(f"{problem} (character {position + 1} of the expression)")
        self.position = position
        # One space for each white-space character, so that the caret is below its character.
        shown = re.sub(r"\s", " ", text)
        self.add_note(f"  {shown}\n  {' ' * position}^")


@dataclass(frozen=True)
class Name:
    """A model and its condition (None without brackets)."""

    name: str
    condition: str | None = None
    position: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        if self.condition is None:
            return self.name
        if _BARE_CONDITION.fullmatch(self.condition):
            return f"{self.name}[{self.condition}]"
        escaped = self.condition.replace("\\", "\\\\").replace('"', '\\"')
        return f'{self.name}["{escaped}"]'


@dataclass(frozen=True)
class Power:
    """term @ exponent: tempering."""

    term: "Node"
    exponent: float
    position: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{_inside(self.term, Power)} @ {_number(self.exponent)}"


@dataclass(frozen=True)
class Times:
    """weight*term."""

    weight: float
    term: "Node"
    position: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{_number(self.weight)}*{_inside(self.term, Power)}"


@dataclass(frozen=True)
class Sum:
    """Terms added (sign 1) and subtracted (sign -1); a single one is subtracted."""

    terms: tuple["Node", ...]
    signs: tuple[int, ...]
    position: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        first, *rest = zip(self.terms, self.signs, strict=True)
        text = ("-" if first[1] < 0 else "") + _inside(first[0], Times)
        return text + "".join(f" {'+' if sign > 0 else '-'} {_inside(term, Times)}" for term, sign in rest)


@dataclass(frozen=True)
class Not:
    """~strength*term, a factor of `And`."""

    term: "Node"
    strength: float = NEGATION_STRENGTH
    position: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        strength = "" if self.strength == NEGATION_STRENGTH else f"{_number(self.strength)}*"
        return f"~{strength}{_inside(self.term, Name)}"


@dataclass(frozen=True)
class And:
    """Factors of a product, at least one of them not a `Not`."""

    factors: tuple["Node | Not", ...]
    position: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return " & ".join(_inside(factor, Sum) for factor in self.factors)


@dataclass(frozen=True)
class Or:
    """Terms of a mixture; one that is a `Times` has its weight as mixing weight."""

    terms: tuple["Node", ...]
    position: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return " | ".join(_inside(term, And) for term in self.terms)


Node = Name | Power | Times | Sum | And | Or

# In order of increasing precedence; a child of lower precedence than its position requires gets parentheses.
_LOOSENESS = (Or, And, Sum, Times, Power, Name, Not)


def _inside(node: Node | Not, at_least: type) -> str:
    tight_enough = _LOOSENESS.index(type(node)) >= _LOOSENESS.index(at_least)
    return str(node) if tight_enough else f"({node})"


def _number(value: float) -> str:
    return repr(float(value)).removesuffix(".0")


def mentions(tree: Node | Not, wanted: bool = True) -> list[tuple[Name, bool]]:
    """Every name in reading order, and whether its density counts for (True) or against (False) a sample."""
    if isinstance(tree, Name):
        return [(tree, wanted)]
    if isinstance(tree, Sum):
        signed = zip(tree.terms, tree.signs, strict=True)
        return [found for term, sign in signed for found in mentions(term, wanted == (sign > 0))]
    if isinstance(tree, And):
        return [found for factor in tree.factors for found in mentions(factor, wanted)]
    if isinstance(tree, Or):
        return [found for term in tree.terms for found in mentions(term, wanted)]
    return mentions(tree.term, wanted != isinstance(tree, Not))
