"""Problems together are problems alone, and quadratic functions have their closed form."""

import numpy as np
import numpy.typing as npt
import pytest

from hares.probing.minimizer import minimize_together

GENERATOR = np.random.default_rng(0)
ROOTS = GENERATOR.normal(size=(4, 8, 8)) * np.array([0.3, 1.0, 2.0, 4.0])[:, None, None]
MATRICES = ROOTS @ ROOTS.transpose(0, 2, 1) + 0.1 * np.eye(8)
"""Of curvatures from 0.1 to hundreds: a first step of the whole gradient is far too long."""
TARGETS = GENERATOR.normal(size=(4, 8))


def quadratic(
    points: npt.NDArray[np.floating], which: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    offsets = points - TARGETS[which]
    gradients = np.einsum("pvw,pw->pv", MATRICES[which], offsets)
    return 0.5 * (offsets * gradients).sum(1), gradients.astype(np.float32)


def test_quadratic_functions() -> None:
    found = minimize_together(quadratic, np.zeros((4, 8)), tolerance=1e-5, steps=400)
    np.testing.assert_allclose(found, TARGETS, atol=1e-3)
    none = minimize_together(quadratic, TARGETS, tolerance=1e-5, steps=400)
    np.testing.assert_allclose(none, TARGETS, atol=1e-5)


@pytest.mark.parametrize("index", range(4))
def test_others_have_no_influence(index: int) -> None:
    together = minimize_together(quadratic, np.zeros((4, 8)), tolerance=1e-3, steps=400)[index]
    alone = minimize_together(
        lambda points, _: quadratic(points, np.array([index])), np.zeros((1, 8)), tolerance=1e-3, steps=400
    )
    np.testing.assert_allclose(alone[0], together, atol=1e-5)


@pytest.mark.parametrize("steps", [1, 3])
def test_steps_that_are_too_long_are_not_taken(steps: int) -> None:
    start = np.zeros((4, 8))
    before, _ = quadratic(start, np.arange(4))
    after, _ = quadratic(minimize_together(quadratic, start, tolerance=0.0, steps=steps), np.arange(4))
    assert (after <= before).all()
