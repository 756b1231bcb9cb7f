r"""Expressions as text, for the command line: a parser for the operators of `composition`.

    ring & bar                      product, AND
    left_bar | right_bar            mixture, OR; needs energies
    0.7*left_bar | 0.3*right_bar    mixture with mixing weights
    digits[3] & ~digits[5]          negation: L_3 - 0.3 L_5
    digits[3] & ~0.5*digits[5]      the same with strength 0.5
    1.3*big_box - 0.3*small_box     log densities, weighted and added
    4*digits[3] - 3*digits          guidance of weight 4
    (ring & bar) @ 2                tempering, L * 2
    sd["a red cube, lit from [above]"]

Operators in order of precedence: `~`, `@`, `*`, then `+` and `-`, `&`, `|`; parentheses group. The
coefficient of a term of `|` is its mixing weight, so `0.7*(ring & bar) | 0.3*ring` is a mixture with weights 0.7
and 0.3, while in `0.7*ring & bar` the log density of the ring is multiplied by 0.7. A name refers to a model; its
condition is written in brackets, with or without quotes (a quote inside quotes is escaped by a backslash).

`parse` returns a tree of `expression_tree`; `build` makes the expression, given a function from names to models.
"""

import math
import re
from collections.abc import Callable
from typing import NamedTuple, Never

from onepaper.errors import UsageError

from compose_diffusion.algebra.composition import NEGATION_STRENGTH, Expression, Mixture, Negated, WeightedProduct
from compose_diffusion.algebra.expression_tree import And, ExpressionError, Name, Node, Not, Or, Power, Sum, Times

# Limit of nested parentheses, well below the recursion limit of the interpreter.
MAX_DEPTH = 50

_NUMBER = re.compile(r"(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_NAME = re.compile(r"[^\W\d]\w*")
_SYMBOLS = "&|~@*+-()"


class _Token(NamedTuple):
    kind: str  # "name", "condition", "number", "end", or the symbol itself
    text: str
    position: int


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    index = 0
    while index < len(text):
        if text[index].isspace():
            index += 1
        elif match := _NUMBER.match(text, index):
            found.append(_Token("number", match.group(), index))
            index = match.end()
        elif match := _NAME.match(text, index):
            found.append(_Token("name", match.group(), index))
            index = match.end()
        elif text[index] == "[" and found and found[-1].kind == "name":
            condition, end = _condition(text, index)
            found.append(_Token("condition", condition, index))
            index = end
        elif text[index] in _SYMBOLS:
            found.append(_Token(text[index], text[index], index))
            index += 1
        else:
            raise ExpressionError(_stray(text[index]), text, index)
    return [*found, _Token("end", "the end", len(text))]


def _stray(character: str) -> str:
    known = {
        "[": "'[' does not follow a name, expected NAME[condition]",
        "]": "']' has no matching '['",
        "=": "'=' is not an operator; name a model by --leaf NAME=PATH",
        "/": "'/' is not an operator, expected a coefficient such as 0.5*NAME",
        "^": "'^' is not an operator, expected NAME @ 2 to temper",
    }
    return known.get(character, f"'{character}' is not part of the language, expected a name, a number or {_SYMBOLS}")


def _condition(text: str, opening: int) -> tuple[str, int]:
    """The condition of the bracket at `opening`, and the index after it."""
    start = opening + 1
    while start < len(text) and text[start].isspace():
        start += 1
    if start < len(text) and text[start] in "\"'":
        quote = text[start]
        quoted = re.compile(rf"((?:[^\\{quote}]|\\.)*){quote}\s*", re.DOTALL).match(text, start + 1)
        if quoted is None:
            raise ExpressionError(f"the quote {quote} is never closed, expected {quote} before ']'", text, start)
        if text[quoted.end() : quoted.end() + 1] != "]":
            raise ExpressionError("text follows the quoted condition, expected ']'", text, quoted.end())
        return re.sub(r"\\(.)", r"\1", quoted.group(1), flags=re.DOTALL), quoted.end() + 1
    end = text.find("]", start)
    if end < 0:
        raise ExpressionError("'[' is never closed, expected ']' after the condition", text, opening)
    condition = text[start:end].strip()
    if not condition:
        raise ExpressionError(
            "the condition is empty, expected text between the brackets; leave them out for no condition", text, opening
        )
    if "[" in condition:
        raise ExpressionError(
            "'[' inside a condition, expected a closed bracket before it; quote a condition that contains brackets",
            text,
            text.index("[", start),
        )
    return condition, end + 1


class _Parser:
    """Recursive descent, a method for each level of precedence."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.index = 0
        self.depth = 0

    @property
    def next(self) -> _Token:
        return self.tokens[self.index]

    def take(self, *kinds: str) -> _Token | None:
        if self.next.kind not in kinds:
            return None
        self.index += 1
        return self.tokens[self.index - 1]

    def fail(self, problem: str, token: _Token | None = None) -> Never:
        raise ExpressionError(problem, self.text, (token or self.next).position)

    def expression(self) -> Node:
        if self.next.kind == "end":
            self.fail("the expression is empty, expected a model, e.g. 'digits[3]' or 'ring & bar'")
        tree = self.mixture()
        token = self.next
        if token.kind == ")":
            self.fail("')' has no matching '('")
        if token.kind in ("name", "number", "("):
            self.fail(f"two terms stand side by side, expected one of & | + - before {token.text!r}")
        if token.kind != "end":
            self.fail(f"{token.text!r} is unexpected here, expected & | + - or the end")
        return tree

    def mixture(self) -> Node:
        first = self.product()
        operator = self.next
        terms = [first]
        while self.take("|"):
            terms.append(self.product())
        if len(terms) == 1:
            return first
        for term in terms:
            if isinstance(term, Sum) and len(term.terms) == 1:
                self.fail(
                    "a term of a mixture is subtracted, expected mixing weights above 0; negate by & ~NAME", operator
                )
        flat = [inner for term in terms for inner in (term.terms if isinstance(term, Or) else (term,))]
        return Or(tuple(flat), operator.position)

    def product(self) -> Node:
        start = self.next
        factors = [self.factor()]
        while self.take("&"):
            factors.append(self.factor())
        if all(isinstance(factor, Not) for factor in factors):
            self.fail("a product of negations only, expected WANTED & ~UNWANTED", start)
        if len(factors) == 1:
            assert not isinstance(factors[0], Not)
            return factors[0]
        return And(tuple(factors), start.position)

    def factor(self) -> Node | Not:
        tilde = self.take("~")
        if tilde is None:
            return self.sum()
        strength = NEGATION_STRENGTH
        if number := self.take("number"):
            strength = self.value(number)
            self.expect("*", f"'~{number.text}' is a strength without a model, expected ~{number.text}*NAME")
        term = self.primary()
        if self.next.kind in ("@", "*", "+", "-"):
            self.fail(f"~ applies to one factor, expected parentheses around the operands of {self.next.text!r}")
        return Not(term, strength, tilde.position)

    def sum(self) -> Node:
        start = self.next
        sign = self.take("-", "+")
        terms, signs = [self.term()], [-1 if sign and sign.kind == "-" else 1]
        while operator := self.take("+", "-"):
            terms.append(self.term())
            signs.append(-1 if operator.kind == "-" else 1)
        if len(terms) == 1 and signs == [1]:
            return terms[0]
        return Sum(tuple(terms), tuple(signs), start.position)

    def term(self) -> Node:
        start = self.next
        coefficients: list[float] = []
        while number := self.take("number"):
            coefficients.append(self.value(number))
            alone = f"{number.text} alone is not a density, expected {number.text}*NAME"
            self.expect("*", alone)
        term = self.primary()
        while operator := self.take("@", "*"):
            number = self.take("number")
            if number is None and operator.kind == "@":
                self.fail("@ needs a number above 0, expected e.g. NAME @ 2")
            if number is None:
                self.fail("* needs a number, expected 0.5*NAME; multiply models by &")
            if operator.kind == "@":
                term = Power(term, self.value(number), operator.position)
            else:
                coefficients.append(self.value(number))
        return Times(math.prod(coefficients), term, start.position) if coefficients else term

    def primary(self) -> Node:
        token = self.next
        if name := self.take("name"):
            condition = self.take("condition")
            return Name(name.text, condition.text if condition else None, name.position)
        if self.take("("):
            self.depth += 1
            if self.depth > MAX_DEPTH:
                self.fail(f"parentheses are nested more than {MAX_DEPTH} deep, expected fewer", token)
            inner = self.mixture()
            if not self.take(")"):
                if self.next.kind == "end":
                    self.fail("'(' is never closed, expected ')'", token)
                self.fail(f"{self.next.text!r} is unexpected here, expected & | + - or ')'")
            self.depth -= 1
            return inner
        if token.kind == "number":
            self.fail(f"{token.text} alone is not a density, expected a model's name")
        if token.kind == "~":
            self.fail("~ is allowed before a factor of a product only, expected WANTED & ~UNWANTED")
        found = "nothing" if token.kind == "end" else repr(token.text)
        after = f" after {self.tokens[self.index - 1].text!r}" if self.index else ""
        return self.fail(f"{found}{after}, expected a model's name or '('")

    def expect(self, kind: str, problem: str) -> _Token:
        """The next token if it is of that kind; otherwise an error at the token before it."""
        token = self.take(kind)
        if token is None:
            self.fail(problem, self.tokens[self.index - 1])
        return token

    def value(self, token: _Token) -> float:
        value = float(token.text)
        if not 0 < value < math.inf:
            self.fail(
                f"{token.text} is not a weight, expected a finite number above 0; leave out terms of weight 0", token
            )
        return value


def parse(text: str) -> Node:
    """The tree of an expression.

    Raises:
        ExpressionError: a syntax error; the message names it, and a note shows its position.
    """
    return _Parser(text).expression()


def build(tree: Node, leaf: Callable[[Name], Expression], text: str | None = None) -> Expression:
    """The expression of a tree.

    Args:
        tree: from `parse`.
        leaf: called once for each distinct name and condition; raises `UsageError` for an unknown one.
        text: the parsed text, to show the position of an error; the canonical text if absent.

    Raises:
        ExpressionError: a `UsageError` of `leaf` or of the algebra (a mixture of scores), with its position.
    """
    if text is None:
        text = str(tree)
        tree = parse(text)
    return _Builder(leaf, text).node(tree)


class _Builder:
    def __init__(self, leaf: Callable[[Name], Expression], text: str) -> None:
        self.leaf = leaf
        self.text = text
        self.known: dict[Name, Expression] = {}

    def node(self, tree: Node) -> Expression:
        try:
            return self.unlocated(tree)
        except ExpressionError:
            raise
        except UsageError as error:
            raise ExpressionError(str(error), self.text, tree.position) from error

    def unlocated(self, tree: Node) -> Expression:
        match tree:
            case Name():
                if tree not in self.known:
                    self.known[tree] = self.leaf(tree)
                return self.known[tree]
            case Power(term, exponent):
                return self.node(term) @ exponent
            case Times(weight, term):
                return weight * self.node(term)
            case Sum(terms, signs):
                return self.sum(terms, signs)
            case And(factors):
                return self.product(factors)
            case Or(terms):
                weighted = [(term.term, term.weight) if isinstance(term, Times) else (term, 1.0) for term in terms]
                return Mixture.from_mixing_weights(
                    [self.node(term) for term, _ in weighted], [weight for _, weight in weighted]
                )

    def sum(self, terms: tuple[Node, ...], signs: tuple[int, ...]) -> Expression:
        """Added terms come first, so that no partial sum has a total weight of 0 or less."""
        parts = sorted(((sign, self.node(term)) for term, sign in zip(terms, signs, strict=True)), key=lambda p: -p[0])
        (sign, total), *rest = parts
        total = total if sign > 0 else WeightedProduct([total], [-1.0])
        for sign, part in rest:
            total = total + part if sign > 0 else total - part
        return total

    def product(self, factors: tuple[Node | Not, ...]) -> Expression:
        """Factors first, then negated factors: `~a & b` is `b & ~a`."""
        total: Expression | None = None
        for factor in factors:
            if not isinstance(factor, Not):
                part = self.node(factor)
                total = part if total is None else total & part
        assert total is not None, "the parser requires a factor that is not negated"
        for factor in factors:
            if isinstance(factor, Not):
                total = total & Negated(self.node(factor.term), factor.strength)
        return total
