"""Debye's expansion: its coefficients, and its agreement with the recurrence."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import mpmath
import numpy as np

from simplex_cir.special.debye import accuracy_of, debye_coefficients, expand


def test_first_polynomials_by_hand() -> None:
    """U_1 = (3p - 5p^3)/24 and U_2 = (81 p^2 - 462 p^4 + 385 p^6)/1152 (DLMF 10.41.10), logarithm taken."""
    first, second = debye_coefficients(2)
    assert first == (Fraction(1, 8), Fraction(-5, 24))
    expected = [Fraction(81, 1152) - first[0] ** 2 / 2, Fraction(-462, 1152) - first[0] * first[1]]
    assert second == (*expected, Fraction(385, 1152) - first[1] ** 2 / 2)


def test_sums_at_one_are_stirlings_coefficients() -> None:
    """At z = 0, where t = 1, log I is a power and -log Gamma: the rest is -B_2k / (2k (2k-1))."""
    sums = [sum(coefficients) for coefficients in debye_coefficients(7)]
    assert sums == [Fraction(-1, 12), 0, Fraction(1, 360), 0, Fraction(-1, 1260), 0, Fraction(1, 1680)]


def test_both_sides_of_the_switch_agree_with_mpmath() -> None:
    with jax.enable_x64(True), mpmath.workdps(30):
        accuracy = accuracy_of(jnp.dtype("float64"))
        for nu in (-0.7, 0.4, 17.0):
            z = np.sqrt(accuracy.switch**2 - nu**2) * np.array([0.999, 1.001])
            got = expand(jnp.full(2, nu + 1), jnp.asarray(z), accuracy)
            assert got.near.tolist() == [True, False]
            for slope, argument in zip(np.asarray(got.slope), z, strict=True):
                ratio = mpmath.besseli(nu + 1, argument) / mpmath.besseli(nu, argument) / argument
                assert abs(slope / float(ratio) - 1) < 1e-15
