"""The grammar against texts written by hand, and its expressions against the same formulas in Python."""

import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz
from onepaper.text import read_text

from compose_diffusion.algebra.composition import mixture, negation
from compose_diffusion.algebra.expression_tree import And, ExpressionError, Name, Not, Or, Power, Sum, Times
from compose_diffusion.algebra.language import MAX_DEPTH, build, parse
from compose_diffusion.algebra.leaves import ExactLeaf, PredictionLeaf
from compose_diffusion.data.distributions import bar, centred_box, ring
from compose_diffusion.diffusion import cosine_schedule

SCHEDULE = cosine_schedule(20)
LEAVES = {"a": ExactLeaf(ring(std=0.1), SCHEDULE), "b": ExactLeaf(bar(), SCHEDULE)}
LEAVES["c"] = ExactLeaf(centred_box(0.7), SCHEDULE)
A, B, C = (Name(name) for name in "abc")


def leaf(name):
    if name.name not in LEAVES:
        raise UsageError(f"unknown model '{name.name}'")
    return LEAVES[name.name]


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a", A),
        (" ( a ) ", A),
        ("a&b", And((A, B))),
        ("a & b & c", And((A, B, C))),
        ("a & (b & c)", And((A, And((B, C))))),
        ("a | b & c", Or((A, And((B, C))))),
        ("a | b | c", Or((A, B, C))),
        ("(a | b) | c", Or((A, B, C))),
        ("0.5*(a | b) | c", Or((Times(0.5, Or((A, B))), C))),
        ("0.7*a | .3*b", Or((Times(0.7, A), Times(0.3, B)))),
        ("1.3*a - 3e-1*b", Sum((Times(1.3, A), Times(0.3, B)), (1, -1))),
        ("a - b + c", Sum((A, B, C), (1, -1, 1))),
        ("-b + a", Sum((B, A), (-1, 1))),
        ("+a", A),
        ("a + b & c", And((Sum((A, B), (1, 1)), C))),
        ("2*a@3", Times(2.0, Power(A, 3.0))),
        ("a*2", Times(2.0, A)),
        ("2*3*a", Times(6.0, A)),
        ("a @ 2 @ 3", Power(Power(A, 2.0), 3.0)),
        ("(a & b) @ 2.0", Power(And((A, B)), 2.0)),
        ("a & ~b", And((A, Not(B, 0.3)))),
        ("~b & a", And((Not(B), A))),
        ("a & ~0.5*b & ~c", And((A, Not(B, 0.5), Not(C)))),
        ("a & ~(b @ 2)", And((A, Not(Power(B, 2.0))))),
        ("digits[3]", Name("digits", "3")),
        ("digits [ 3 ]", Name("digits", "3")),
        ("positions[12, 20] & a", And((Name("positions", "12, 20"), A))),
        ("sd[a red cube & a ball]", Name("sd", "a red cube & a ball")),
        ("""sd["it's [red]"]""", Name("sd", "it's [red]")),
        ("""sd['say "red"']""", Name("sd", 'say "red"')),
        (r'sd["a \"b\" \\"]', Name("sd", 'a "b" \\')),
        ('sd[""]', Name("sd", "")),
        ("größe_2", Name("größe_2")),
    ],
)
def test_trees(text, tree):
    assert parse(text) == tree


CONDITIONS = st.none() | st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=8)
NAMES = st.builds(Name, st.text("abXY_09é", min_size=1, max_size=5).filter(str.isidentifier), CONDITIONS)
NUMBERS = st.floats(1e-9, 1e9)


def larger(trees):
    """One node more; only what the parser itself makes: a mixture inside a mixture is one mixture, and so on."""
    several = st.lists(trees, min_size=2, max_size=3).map(tuple)
    factors = st.tuples(trees, st.lists(trees | st.builds(Not, trees, NUMBERS | st.just(0.3)), min_size=1, max_size=2))
    terms = several.filter(lambda terms: not any(isinstance(t, Or) or is_negative(t) for t in terms))
    signed = several.flatmap(
        lambda terms: st.builds(
            Sum, st.just(terms), st.lists(st.sampled_from((1, -1)), min_size=len(terms), max_size=len(terms)).map(tuple)
        )
    )
    return st.one_of(
        st.builds(Power, trees, NUMBERS),
        st.builds(Times, NUMBERS, trees),
        signed,
        factors.map(lambda pair: And((pair[0], *pair[1]))),
        st.builds(Or, terms),
        trees.map(lambda tree: Sum((tree,), (-1,))),
    )


def is_negative(tree):
    return isinstance(tree, Sum) and len(tree.terms) == 1


# The runtime type checks of the test session look at random items of a tree's tuples.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module")
@settings(max_examples=100, deadline=None)
@given(st.recursive(NAMES, larger, max_leaves=6))
def test_canonical_text_parses_to_the_same_tree(tree):
    assert parse(str(tree)) == tree


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab01.*@&|~+-()[]\" e'\\$", max_size=20))
def test_any_text_is_a_tree_or_a_clear_error(text):
    try:
        tree = parse(text)
    except ExpressionError as error:
        reported, place = str(error), error.position
        assert "\n" not in reported
        assert 0 <= place <= len(text)
    else:
        assert parse(str(tree)) == tree


@pytest.mark.parametrize(
    ("text", "python"),
    [
        ("a & b", lambda a, b, c: a & b),
        ("a + b - c", lambda a, b, c: a + b - c),
        ("1.3*a - 0.3*b", lambda a, b, c: 1.3 * a - 0.3 * b),
        ("2*(a & b) @ 1.5", lambda a, b, c: 2 * ((a & b) @ 1.5)),
        ("2*a @ 1.5 | b", lambda a, b, c: 2 * a @ 1.5 | b),
        ("a | b | c", lambda a, b, c: mixture([a, b, c])),
        ("0.7*a | 0.3*b", lambda a, b, c: mixture([a, b], [math.log(0.7), math.log(0.3)])),
        ("0.7*a | 0.3*b", lambda a, b, c: 0.7 * a | 0.3 * b),
        ("2*a | b | b", lambda a, b, c: mixture([a, b, b], [math.log(0.5), math.log(0.25), math.log(0.25)])),
        ("0.5*(a | b) | 0.5*c", lambda a, b, c: mixture([a, b, c], [math.log(0.25), math.log(0.25), math.log(0.5)])),
        ("0.7*a & b", lambda a, b, c: 0.7 * a + b),
        ("a & ~b", lambda a, b, c: negation(a, b, 0.3)),
        ("a & ~b", lambda a, b, c: a & ~b),
        ("~b & a", lambda a, b, c: ~b & a),
        ("c & a & ~0.5*b", lambda a, b, c: c + a - 0.5 * b),
        ("c & ~0.2*(a | b)", lambda a, b, c: c - 0.2 * mixture([a, b])),
        ("-0.2*b + a", lambda a, b, c: a - 0.2 * b),
        ("a & (b | c) & ~0.1*(a & b)", lambda a, b, c: 0.9 * a + mixture([b, c]) - 0.1 * b),
    ],
)
def test_expressions_are_those_of_the_operators(text, python, generator):
    x = 0.7 * torch.randn(32, 2, generator=generator, dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours, theirs = build(parse(text), leaf, text), python(*LEAVES.values())
    for t in (0, 7, 19):
        found, expected = ours.evaluate(x, t), theirs.evaluate(x, t)
        torch.testing.assert_close(found.log_density, expected.log_density)
        torch.testing.assert_close(found.score, expected.score)


def test_one_leaf_for_equal_names():
    asked = []

    def counting(name):
        asked.append(name)
        return ExactLeaf(ring(), SCHEDULE)

    expression = build(parse("a[1] & a[ 1 ] & a[2] & a"), counting)
    assert asked == [Name("a", "1"), Name("a", "2"), Name("a")]
    assert len(expression.leaves()) == 3


# Text, where the caret stands, and words of the message.
MISTAKES = [
    ("", 0, "the expression is empty"),
    ("a &", 3, "nothing after '&', expected a model's name or '('"),
    ("a & & b", 4, "'&' after '&', expected a model's name"),
    ("& b", 0, "'&', expected a model's name"),
    ("(a & b", 0, "'(' is never closed"),
    ("(a b)", 3, "'b' is unexpected here"),
    ("a)", 1, "')' has no matching '('"),
    ("3", 0, "3 alone is not a density, expected 3*NAME"),
    ("a & 3", 4, "3 alone is not a density"),
    ("3*", 2, "nothing after '*'"),
    ("~a", 0, "a product of negations only, expected WANTED & ~UNWANTED"),
    ("a | ~b", 4, "a product of negations only"),
    ("a + ~b", 4, "~ is allowed before a factor of a product only"),
    ("a & ~b + c", 7, "expected parentheses around the operands of '+'"),
    ("a & ~0.5", 5, "'~0.5' is a strength without a model"),
    ("a @", 3, "@ needs a number above 0"),
    ("a @ -1", 4, "@ needs a number above 0"),
    ("a @ b", 4, "@ needs a number above 0"),
    ("a*b", 2, "multiply models by &"),
    ("a b", 2, "two terms stand side by side"),
    ("0*a", 0, "0 is not a weight"),
    ("1e999*a", 0, "1e999 is not a weight"),
    ("-a | b", 3, "expected mixing weights above 0"),
    ("a[", 1, "'[' is never closed"),
    ("a[ ]", 1, "the condition is empty"),
    ('a["x]', 2, "is never closed"),
    ('a["x" y]', 6, "text follows the quoted condition"),
    ("a[b[c]]", 3, "'[' inside a condition"),
    ("[3]", 0, "'[' does not follow a name"),
    ("a]", 1, "']' has no matching '['"),
    ("a / b", 2, "'/' is not an operator"),
    ("a ^ 2", 2, "expected NAME @ 2"),
    ("a = b", 2, "--leaf NAME=PATH"),
    ("a $ b", 2, "'$' is not part of the language"),
    ("(" * 60 + "a" + ")" * 60, MAX_DEPTH, "nested more than"),
]


@pytest.mark.parametrize(("text", "place", "reported"), MISTAKES, ids=[text[:12] or "empty" for text, *_ in MISTAKES])
def test_mistakes_are_reported_with_their_position(text, place, reported):
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert reported in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.position == place
    shown, caret = caught.value.__notes__[0].splitlines()
    assert shown == f"  {text}"
    assert caret == " " * (place + 2) + "^"


@pytest.mark.parametrize(
    ("text", "place", "reported"),
    [
        ("a & unknown_name", 4, "unknown model 'unknown_name'"),
        ("a & (s | b)", 7, "has only a score"),
        ("a & ~(s | b)", 8, "has only a score"),
    ],
)
def test_what_the_models_refuse_is_reported_with_its_position(text, place, reported):
    scores = {"s": PredictionLeaf(lambda x, t: x, SCHEDULE)}
    with pytest.raises(ExpressionError, match=reported) as caught:
        build(parse(text), lambda name: scores.get(name.name) or leaf(name), text)
    assert caught.value.position == place


def test_without_its_text_a_tree_is_shown_in_canonical_form():
    with pytest.raises(ExpressionError) as caught:
        build(And((A, Name("unknown_name"))), leaf)
    assert caught.value.__notes__ == ["  a & unknown_name\n      ^"]


@pytest.mark.parametrize("count", [400, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_expressions(tmp_path, count):
    valid = [b"digits[3] & 2*shape[x=0.5] - thick / 2", b"mixture(a[1], 0.3*b['a prompt'], c)", b"(a | b) & -0.5*c"]
    found = fuzz(lambda path: parse(read_text(path)), tmp_path / "expression.txt", valid, count)
    assert any(not isinstance(tree, str) for tree in found)
