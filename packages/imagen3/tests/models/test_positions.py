"""Positions: rotation depends on differences only, and the table on its centre."""

import math

import torch

from imagen3.models.positions import apply_rotary, frequency_features, position_table, rotary_angles


def test_frequency_features() -> None:
    found = frequency_features(torch.tensor([2.0]), 4)
    expected = torch.tensor([[math.cos(2.0), math.cos(0.02), math.sin(2.0), math.sin(0.02)]])
    torch.testing.assert_close(found, expected)


def test_products_depend_on_differences() -> None:
    """A shift of both patches by rows and columns keeps the product of their rotated vectors."""
    angles = rotary_angles(5, 6, 2, 8)[2:].reshape(5, 6, 4)
    q, k = torch.randn(1, 1, 1, 8), torch.randn(1, 1, 1, 8)

    def product(first: tuple[int, int], second: tuple[int, int]) -> float:
        rotated = apply_rotary(q, angles[first][None]), apply_rotary(k, angles[second][None])
        return float((rotated[0] * rotated[1]).sum())

    assert math.isclose(product((0, 1), (2, 0)), product((2, 4), (4, 3)), rel_tol=1e-4, abs_tol=1e-5)
    assert not math.isclose(product((0, 1), (2, 0)), product((0, 1), (2, 1)), rel_tol=1e-3)


def test_table_is_a_crop_of_the_centre() -> None:
    whole = position_table(6, 6, 6, 16).reshape(6, 6, 16)
    torch.testing.assert_close(position_table(6, 2, 4, 16).reshape(2, 4, 16), whole[2:4, 1:5])
    assert math.isclose(float(whole[3, 2, 0]), math.sin(2.0), rel_tol=1e-6)  # columns first, sines first
