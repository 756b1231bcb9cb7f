import pytest
from onepaper.errors import UsageError

from compose_diffusion.algebra.expression_tree import And, ExpressionError, Name, Not, Or, Power, Sum, Times, mentions

A, B, C = Name("a"), Name("b"), Name("c", "3")


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        (Name("digits", "3"), "digits[3]"),
        (Name("positions", "12,20"), "positions[12,20]"),
        (Name("sd", "a red cube, lit from the left"), "sd[a red cube, lit from the left]"),
        (Name("sd", 'a "cube" [red] \\'), 'sd["a \\"cube\\" [red] \\\\"]'),
        (Name("sd", " spaces "), 'sd[" spaces "]'),
        (Name("sd", ""), 'sd[""]'),
        (Times(0.1, A), "0.1*a"),
        (Times(2.0, Times(3.0, A)), "2*(3*a)"),
        (Power(Power(A, 2.0), 0.5), "a @ 2 @ 0.5"),
        (Power(Times(2.0, A), 3.0), "(2*a) @ 3"),
        (Sum((Times(1.3, A), Times(0.3, B)), (1, -1)), "1.3*a - 0.3*b"),
        (Sum((A, B), (-1, 1)), "-a + b"),
        (Sum((A, Sum((B, C), (1, 1))), (1, -1)), "a - (b + c[3])"),
        (And((A, Not(B), Not(C, 0.5))), "a & ~b & ~0.5*c[3]"),
        (And((A, Not(Or((B, C))))), "a & ~(b | c[3])"),
        (And((A, And((B, C)))), "a & (b & c[3])"),
        (Or((Times(0.7, And((A, B))), Times(0.3, C))), "0.7*(a & b) | 0.3*c[3]"),
        (Power(Or((A, B)), 1e-7), "(a | b) @ 1e-07"),
    ],
)
def test_canonical_text(tree, text):
    assert str(tree) == text


def test_positions_are_no_part_of_equality():
    assert Name("a", position=1) == Name("a", position=5)
    assert hash(Name("a", position=1)) == hash(Name("a", position=5))


def test_mentions_say_what_counts_for_and_against():
    tree = Sum((And((A, Not(And((B, Not(C)))))), Times(2.0, Or((B, Power(C, 2.0))))), (1, -1))
    assert mentions(tree) == [(A, True), (B, False), (C, True), (B, False), (C, False)]


def test_error_is_one_line_with_the_place_as_a_note():
    error = ExpressionError("wrong", "a &\tb $", 6)
    assert isinstance(error, UsageError)
    assert str(error) == "wrong (character 7 of the expression)"
    assert error.__notes__ == ["  a & b $\n        ^"]
