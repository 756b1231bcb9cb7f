import itertools

import jax
import pytest

from simplex_cir.experiments.derivatives import (
    BRIDGE,
    CASES,
    DIRICHLET,
    TRANSITION,
    Case,
    derivative_errors,
    difference,
)


def test_derivatives_of_the_dirichlet_density() -> None:
    with jax.enable_x64(True):
        first, second = derivative_errors(DIRICHLET)
        assert first < 1e-11
        assert second < 1e-9


def test_gradient_of_the_transition() -> None:
    """Shape 1 and its neighbour, from 0 and from above, near and far from the origin."""
    with jax.enable_x64(True):
        slopes = jax.jit(jax.grad(TRANSITION.function, range(4)))
        for y, x, a, t in itertools.product((0.4, 9.0), (0.0, 4.0), (1.0, 1.0 + 1e-7), (0.1, 3.0)):
            for index, slope in enumerate(slopes(y, x, a, t)):
                expected = difference(TRANSITION, (y, x, a, t), (index,))
                assert float(slope) == pytest.approx(expected, rel=1e-10, abs=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_all_derivatives(case: Case) -> None:
    with jax.enable_x64(True):
        first, second = derivative_errors(case)
        assert first < 1e-10
        assert second < 1e-8


def test_gradient_of_the_bridge_from_zero() -> None:
    """First derivatives in every argument at shape 1; second ones, and those of its mean, are in the slow test."""
    with jax.enable_x64(True):
        for point in ((0.4, 0.0, 1.3, 1.0, 0.3, 0.5), (2.0, 0.7, 0.0, 1.0, 0.3, 0.5)):
            slopes = jax.grad(BRIDGE.function, range(6))(*point)
            for index, slope in enumerate(slopes):
                assert float(slope) == pytest.approx(difference(BRIDGE, point, (index,)), rel=1e-10, abs=1e-10)
