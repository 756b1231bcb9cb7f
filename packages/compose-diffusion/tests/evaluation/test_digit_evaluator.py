import pytest
import torch
from onepaper.errors import UsageError
from scipy.linalg import sqrtm

from compose_diffusion.data.digits import Digits, load_digits
from compose_diffusion.evaluation.digit_evaluator import NUM_FEATURES, Evaluator, default_evaluator, nearest_distances


def test_it_knows_digits_that_it_has_not_seen():
    assert default_evaluator().accuracy > 0.98


def test_correct_compares_with_what_was_asked_for():
    digits = load_digits("evaluator")
    evaluator = default_evaluator()
    assert evaluator.correct(digits.images, digits.labels).mean() > 0.99
    assert evaluator.correct(digits.images, (digits.labels + 1) % 10).mean() < 0.01


def test_accuracy_is_that_of_the_held_out_images():
    digits = load_digits("model")
    some = Digits(digits.images[:300], digits.labels[:300])
    wrong = Digits(digits.images[300:400], (digits.labels[300:400] + 1) % 10)
    assert Evaluator(some, wrong).accuracy < 0.1


def test_frechet_distance_against_a_matrix_square_root(generator):
    evaluator = default_evaluator()
    images = 0.3 * torch.randn(100, 1, 8, 8, generator=generator, dtype=torch.float64)
    ours, real = evaluator.features(images), evaluator.features(load_digits("evaluator").images)
    covariances = ours.T.cov(), real.T.cov()
    root = torch.as_tensor(sqrtm((covariances[0] @ covariances[1]).numpy()).real)
    expected = (ours.mean(0) - real.mean(0)).square().sum() + (covariances[0] + covariances[1] - 2 * root).trace()
    assert evaluator.frechet_distance(images) == pytest.approx(float(expected), rel=1e-6)


def test_frechet_distance_orders_image_sets(generator):
    evaluator = default_evaluator()
    real, unseen = load_digits("evaluator").images, load_digits("model").images
    assert evaluator.frechet_distance(real) == pytest.approx(0, abs=1e-6)
    noisy = unseen + 0.5 * torch.randn(unseen.shape, generator=generator)
    only_zeros = unseen[load_digits("model").labels == 0]
    assert evaluator.frechet_distance(unseen) < 0.1 < evaluator.frechet_distance(noisy)
    assert evaluator.frechet_distance(only_zeros) > 1


def test_too_few_images_for_a_covariance():
    with pytest.raises(UsageError, match=f"{NUM_FEATURES} images, expected more"):
        default_evaluator().frechet_distance(load_digits("model").images[:NUM_FEATURES])


def test_images_of_another_size_are_refused():
    with pytest.raises(UsageError, match=r"\[count, 1, 8, 8\]"):
        default_evaluator().predict(torch.zeros(2, 1, 28, 28))


def test_nearest_distances():
    images = torch.stack([torch.full((1, 8, 8), value) for value in (0.0, 0.5, 1.0)])
    others = torch.stack([torch.full((1, 8, 8), value) for value in (0.4, 1.0)])
    torch.testing.assert_close(nearest_distances(images, others), torch.tensor([0.4, 0.1, 0.0], dtype=torch.float64))
