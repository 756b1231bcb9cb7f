import math

import jax.numpy as jnp
import numpy as np
import pytest
from onepaper.errors import UsageError

from perceiver_ar.data.images import image_coordinates
from perceiver_ar.models.positions import (
    check_coordinates,
    fourier_features,
    latent_indices,
    make_position_ids,
    rotary_angles,
    rotate,
    sinusoids,
)

STYLES = ["official", "standard", "half"]


def test_numbers_of_inputs() -> None:
    lengths = jnp.array([4, 2])
    np.testing.assert_array_equal(make_position_ids(lengths, 4, "data"), [[1, 2, 3, 4], [1, 2, 3, 4]])
    np.testing.assert_array_equal(make_position_ids(lengths, 4, "terminal"), [[3, 2, 1, 0], [1, 0, 0, 0]])
    np.testing.assert_array_equal(make_position_ids(lengths, 4, "negative-terminal"), [[-3, -2, -1, 0], [-1, 0, 0, 0]])


def test_latents_sit_at_the_last_inputs() -> None:
    np.testing.assert_array_equal(latent_indices(jnp.array([10, 2, 0]), 3), [[7, 8, 9], [-1, 0, 1], [-1, -1, -1]])


def test_sinusoids_number_by_number() -> None:
    width, position_ids = 8, [0, 1, 7, 1000]
    got = sinusoids(jnp.array(position_ids), width)
    for row, p in enumerate(position_ids):
        for i in range(width):
            rate = math.exp(-(i % 4) * math.log(1e4) / (width / 2 - 1))
            wanted = math.sin(p * rate) if i < 4 else math.cos(p * rate)
            assert abs(float(got[row, i]) - wanted) < 2e-4


def test_fourier_features_number_by_number() -> None:
    size, width = 9, 6
    got = fourier_features(jnp.arange(size), size, width)
    for row, place in enumerate(np.linspace(-1, 1, size)):
        for column, f in enumerate((1.0, 2.75, 4.5)):  # even steps from 1 to half the size
            assert abs(float(got[row, column]) - math.sin(math.pi * f * place)) < 1e-5
            assert abs(float(got[row, 3 + column]) - math.cos(math.pi * f * place)) < 1e-5


def by_hand(x: np.ndarray, position: int, fraction: float, longest: float, style: str) -> np.ndarray:
    """One head, one token, by 2 x 2 rotation matrices."""
    r = 2 * math.floor(len(x) * fraction / 2)
    out = x.astype(float).copy()
    for k in range(r // 2):
        if style == "official":
            step = (r / 2) / (r / 2 - 1) if r > 2 else 0.0  # the end point is included
            exponent = 2 / r * k * step
        else:
            exponent = 2 * k / r
        angle = position / longest**exponent
        pair = [k, k + r // 2] if style == "half" else [2 * k, 2 * k + 1]
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        out[pair] = turn @ x[pair]
    return out


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("fraction", [0.2, 0.25, 0.5, 1.0])
def test_rotation_by_matrices(style: str, fraction: float) -> None:
    x = np.random.default_rng(0).standard_normal((1, 3, 2, 12)).astype(np.float32)
    position_ids = jnp.array([[1, 5, 90]])
    got = rotate(jnp.asarray(x), rotary_angles(position_ids, 12, fraction, 100.0, style), style)
    for token, head in np.ndindex(3, 2):
        wanted = by_hand(x[0, token, head], int(position_ids[0, token]), fraction, 100.0, style)
        np.testing.assert_allclose(got[0, token, head], wanted, atol=2e-5)
    np.testing.assert_allclose(jnp.linalg.norm(got, axis=-1), np.linalg.norm(x, axis=-1), rtol=1e-5)


def test_some_heads_turn_and_the_others_pass() -> None:
    x = jnp.asarray(np.random.default_rng(0).standard_normal((1, 3, 4, 8)), jnp.float32)
    angles = rotary_angles(jnp.array([[1, 5, 90]]), 8, 0.5, 100.0, "half")
    got = rotate(x, angles, "half", 3)
    np.testing.assert_array_equal(got[:, :, :3], rotate(x, angles, "half")[:, :, :3])
    np.testing.assert_array_equal(got[:, :, 3:], x[:, :, 3:])


@pytest.mark.parametrize("style", STYLES)
def test_products_know_differences_only(style: str) -> None:
    q, k = np.random.default_rng(1).standard_normal((2, 1, 4, 1, 8)).astype(np.float32)

    def products(shift: int) -> jnp.ndarray:
        angles = rotary_angles(jnp.arange(4)[None] + shift, 8, 0.5, 64.0, style)
        turned = [rotate(jnp.asarray(array), angles, style) for array in (q, k)]
        return jnp.einsum("bthd,bshd->bts", *turned)

    np.testing.assert_allclose(products(0), products(37), atol=1e-4)


def test_the_slowest_official_pair_has_the_longest_wave() -> None:
    angles = rotary_angles(jnp.array([[100]]), 16, 0.5, 100.0, "official")[0, 0]
    np.testing.assert_allclose(angles, [100.0, 100 ** (2 / 3), 100 ** (1 / 3), 1.0], rtol=1e-5)


def test_coordinates_of_an_image_in_both_orders() -> None:
    raster, planes = image_coordinates(2, 3), image_coordinates(2, 3, order="planes")
    assert raster.shape == planes.shape == (19, 3)
    assert raster[0].tolist() == planes[0].tolist() == [1, 1, 1]
    expected = [(x + 2, y + 2, c + 2) for y in range(2) for x in range(3) for c in range(3)]
    assert [tuple(row) for row in raster[1:].tolist()] == expected
    expected = [(x + 2, y + 2, c + 2) for c in range(3) for y in range(2) for x in range(3)]
    assert [tuple(row) for row in planes[1:].tolist()] == expected
    check_coordinates(raster, (5, 4, 5))


def test_bad_coordinates_raise_errors() -> None:
    with pytest.raises(UsageError, match="coordinates of axis 0 go from 1 to 4, expected 0 to 3"):
        check_coordinates(image_coordinates(2, 3), (4, 4, 5))
    with pytest.raises(UsageError, match="coordinates have 3 axes, expected 1"):
        check_coordinates(image_coordinates(2, 3), (4,))
