import math

import numpy as np
import pytest
import torch
from onepaper.errors import UsageError
from sklearn.metrics.pairwise import rbf_kernel

from compose_diffusion.data.distributions import GaussianMixture, UniformBox, centred_box, frame, ring_and_bar
from compose_diffusion.evaluation.metrics import (
    box_fraction,
    mmd2,
    mode_accuracy,
    mode_balance,
    product_log_likelihood,
    product_normaliser,
    variance_error,
)


def softened_product(points):
    """Unnormalised ring times softened bar, written out once more with numpy."""
    angles = 2 * np.pi * np.arange(8) / 8
    centres = 0.5 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    squared = np.square(points[:, None] - centres).sum(axis=2)
    ring = np.exp(-squared / (2 * 0.03**2)).mean(axis=1) / (2 * np.pi * 0.03**2)
    inside = (np.abs(points[:, 0]) <= 0.2) & (np.abs(points[:, 1]) <= 1)
    outer = (np.abs(points) <= 1.1).all(axis=1)
    return ring * np.where(inside, 0.99 / 0.8, np.where(outer, 0.01 / (2.2**2 - 0.8), 0.0))


def test_normaliser_is_the_known_number_and_the_integral():
    assert product_normaliser() == pytest.approx(0.31123, abs=5e-6)
    edges = np.linspace(-1.1, 1.1, 1101)
    middles = (edges[1:] + edges[:-1]) / 2
    grid = np.stack(np.meshgrid(middles, middles), axis=-1).reshape(-1, 2)
    assert softened_product(grid).sum() * (2.2 / 1100) ** 2 == pytest.approx(product_normaliser(), rel=1e-4)


def test_log_likelihood_is_that_of_the_normalised_product(generator):
    x = 0.5 * torch.randn(200, 2, generator=generator, dtype=torch.float64).clamp(-2, 2)
    expected = np.log(np.maximum(softened_product(x.numpy()), 1e-300)) - math.log(0.3112315)
    usable = torch.from_numpy(expected > -600)
    found = product_log_likelihood(x[usable])
    assert found.mean == pytest.approx(expected[usable.numpy()].mean(), rel=1e-6)
    assert found.outside == 0


def test_true_samples_have_their_analytic_log_likelihood(generator):
    found = product_log_likelihood(ring_and_bar().sample(20000, generator))
    analytic = -math.log(2) - math.log(2 * math.pi * math.e * 0.03**2)
    assert analytic == pytest.approx(3.48, abs=5e-3)
    assert found.mean == pytest.approx(analytic, abs=0.03)


def test_samples_outside_the_outer_box_are_reported_and_stay_finite():
    found = product_log_likelihood(torch.tensor([[0.0, 0.5], [1.2, 0.0], [0.0, -3.0], [0.0, -0.5]]))
    assert found.outside == 0.5
    assert math.isfinite(found.mean)


def test_accuracy_counts_the_square_of_three_standard_deviations():
    x = torch.tensor([[0.0, 0.5], [0.089, -0.589], [0.091, 0.5], [0.0, 0.0], [0.5, 0.0]])
    assert mode_accuracy(x) == pytest.approx(2 / 5)
    target = GaussianMixture([[0.0, 0.0]], covariances=[[[4.0, 0.0], [0.0, 1.0]]])
    assert mode_accuracy(torch.tensor([[5.9, 0.0], [0.0, 5.9]]), target) == 0.5


def test_mode_balance():
    assert mode_balance(torch.tensor([[0.0, 0.5], [0.0, 0.4], [0.0, -0.5], [-1.0, 0.1]])) == 0.75


def test_variance_error_is_the_difference_of_covariances_whatever_the_order(generator):
    variances, target_variances = (
        torch.tensor(v) for v in ([[0.01, 0.0225], [0.001, 0.002]], [[0.02, 0.01], [0.001, 0.004]])
    )
    means = [[0.0, -0.7], [0.0, 0.7]]
    samples, targets = (
        GaussianMixture(means, covariances=torch.diag_embed(v)).sample(4000, generator)
        for v in (variances, target_variances)
    )
    expected = float((variances - target_variances).norm(dim=1).mean())
    # Sorted either way, so that the two fits start from, and name, their components in different orders.
    up, down = samples[samples[:, 1].argsort()], targets[targets[:, 1].argsort(descending=True)]
    for seed in range(3):
        assert variance_error(up, down, seed=seed) == pytest.approx(expected, rel=0.1)


def test_mmd_is_its_double_sum(generator):
    x, y = (torch.randn(40, 2, generator=generator, dtype=torch.float64) + shift for shift in (0.0, 0.3))
    expected = 0.0
    for bandwidth in (0.1, 0.25, 0.5, 1.0):
        gamma = 1 / (2 * bandwidth**2)
        xx, yy, xy = (rbf_kernel(a.numpy(), b.numpy(), gamma=gamma) for a, b in ((x, x), (y, y), (x, y)))
        expected += (xx.sum() - 40) / (40 * 39) + (yy.sum() - 40) / (40 * 39) - 2 * xy.mean()
    assert mmd2(x, y) == pytest.approx(expected, rel=1e-9)


def test_mmd_of_equal_laws_is_zero_on_average():
    generator = torch.Generator().manual_seed(1)
    found = torch.tensor([mmd2(*(torch.randn(100, 2, generator=generator) for _ in range(2))) for _ in range(100)])
    assert abs(float(found.mean())) < 3 * float(found.std()) / 10
    assert (found < 0).any()


def test_box_fractions(generator):
    hole = centred_box(0.3)
    assert box_fraction(frame().sample(500, generator), [centred_box(0.7)], outside=[hole]) == 1.0
    x = torch.tensor([[0.0, 0.0], [0.5, 0.0], [0.9, 0.0], [2.0, 2.0]])
    assert box_fraction(x, [centred_box(0.7)], outside=[hole]) == 0.25
    assert box_fraction(x, [hole, UniformBox([0.8, -0.1], [1.0, 0.1])]) == 0.5


@pytest.mark.parametrize("measure", [product_log_likelihood, mode_accuracy, mode_balance])
@pytest.mark.parametrize(
    ("x", "expected"),
    [(torch.zeros(0, 2), "at least one sample"), (torch.tensor([[0.0, math.nan]]), "1 of 1 samples are not finite")],
)
def test_samples_that_cannot_be_evaluated_are_refused(measure, x, expected):
    with pytest.raises(UsageError, match=expected):
        measure(x)


def test_too_few_samples_are_refused():
    with pytest.raises(UsageError, match="at least 2 of each"):
        mmd2(torch.zeros(1, 2), torch.zeros(5, 2))
    with pytest.raises(UsageError, match="at least one a component"):
        variance_error(torch.zeros(1, 2), torch.zeros(5, 2))
    with pytest.raises(UsageError, match="at least one"):
        box_fraction(torch.zeros(1, 2), [])
