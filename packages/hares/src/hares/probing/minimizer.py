"""L-BFGS of several problems at once, for functions that are cheaper to evaluate together (Liu and Nocedal, 1989)."""

from collections import deque
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Float32

_PAIRS = 5
"""differences of points and gradients that an inverse curvature is made of"""
_DECREASE = 1e-4
"""share of the decrease along the slope that a step must reach (Armijo)"""
_SHRINK = 0.3
_EQUAL = 1e-10
"""values that differ by less are those of a solution: sums in single precision are not more exact"""

Array = npt.NDArray[np.floating]


def minimize_together(
    function: Callable[[Array, npt.NDArray[np.int64]], tuple[Array, Array]],
    start: Float[np.ndarray, "problems variables"],
    *,
    tolerance: float,
    steps: int,
) -> Float32[np.ndarray, "problems variables"]:
    """Where each of some convex functions is smallest.

    All problems take a step at a time, so that there is one evaluation for all; those whose step decreases too little
    try a shorter one in the next. A problem that is solved leaves.

    Args:
        function: maps points [problems, variables] and the indices of their problems to values and gradients.
        start: where to begin; the curvature should be about 1 in all directions.
        tolerance: largest element of a gradient at which a problem is solved.
        steps: evaluations at most.
    """
    found = start.astype(np.float32)
    active, points = np.arange(len(found)), found
    values, gradients = function(points, active)
    directions, lengths, sizes = -gradients, np.ones(len(found)), np.ones(len(found))
    pairs: deque[tuple[Array, Array, Array]] = deque(maxlen=_PAIRS)
    for _ in range(steps):
        trials = points + (lengths[:, None] * directions).astype(np.float32)
        new_values, new_gradients = function(trials, active)
        good = new_values <= values + _DECREASE * lengths * _dot(gradients, directions) + _EQUAL
        solved = np.abs(new_values - values) <= _EQUAL
        # A step that is not taken leaves a pair of zeros, without effect.
        moved = np.where(good[:, None], trials - points, 0.0).astype(np.float32)
        bent = new_gradients - gradients
        curvatures, squares = _dot(moved, bent), _dot(bent, bent)
        convex = curvatures > 0
        pairs.append((moved, bent, np.divide(1.0, curvatures, out=np.zeros_like(curvatures), where=convex)))
        sizes = np.divide(curvatures, squares, out=sizes, where=convex)
        values = np.where(good, new_values, values)
        points, gradients = (
            np.where(good[:, None], new, old) for new, old in ((trials, points), (new_gradients, gradients))
        )
        found[active] = points
        solved |= np.abs(gradients).max(1) <= tolerance
        if solved.all():
            break
        lengths = np.where(good, 1.0, _SHRINK * lengths)
        directions = np.where(good[:, None], -_times_inverse(gradients, pairs, sizes), directions)
        if solved.any():
            kept = ~solved
            active, points, values, gradients = active[kept], points[kept], values[kept], gradients[kept]
            directions, lengths, sizes = directions[kept], lengths[kept], sizes[kept]
            pairs = deque((tuple(each[kept] for each in pair) for pair in pairs), _PAIRS)  # pyright: ignore
    return found


def _times_inverse(gradients: Array, pairs: deque[tuple[Array, Array, Array]], sizes: Array) -> Array:
    """Gradients times the inverse curvature, by the recursion over the pairs (Nocedal, 1980)."""
    result, shares = gradients.copy(), []
    for moved, bent, inverse in reversed(pairs):
        shares.append((inverse * _dot(moved, result)).astype(np.float32)[:, None])
        result -= shares[-1] * bent
    result *= sizes.astype(np.float32)[:, None]
    for (moved, bent, inverse), share in zip(pairs, reversed(shares), strict=True):
        result += (share - (inverse * _dot(bent, result)).astype(np.float32)[:, None]) * moved
    return result


def _dot(first: Array, second: Array) -> Array:
    return np.einsum("pv,pv->p", first, second, dtype=np.float64)
