import pytest
import torch
from onepaper.errors import UsageError
from torch import nn

from compose_diffusion.algebra.composition import classifier_guidance, guidance
from compose_diffusion.algebra.leaves import ClassifierLeaf, EnergyLeaf, ExactLeaf, PredictionLeaf
from compose_diffusion.data.distributions import GaussianMixture, bar, ring
from compose_diffusion.diffusion import clean_from_noise, cosine_schedule, score_from_noise

SCHEDULE = cosine_schedule(20)
A = ExactLeaf(ring(std=0.1), SCHEDULE)
B = ExactLeaf(bar(), SCHEDULE)
C = ExactLeaf(GaussianMixture([[0.3, 0.1]], covariances=[[[0.3, 0.1], [0.1, 0.2]]]), SCHEDULE)
LEVELS = (0, 7, 19)


@pytest.fixture
def x(generator):
    return 0.7 * torch.randn(32, 2, generator=generator, dtype=torch.float64)


def test_prediction_kinds_give_one_score(generator):
    """Three networks that know the exact noise, each stating it in its own way, on image-shaped samples."""
    x = torch.randn(6, 1, 4, 4, generator=generator, dtype=torch.float64)

    def noise_network(x, t):
        return SCHEDULE.sigma[int(t[0])] * x

    def velocity_network(x, t):
        noise, level = noise_network(x, t), int(t[0])
        clean = clean_from_noise(noise, x, level, SCHEDULE)
        return SCHEDULE.alphas_cumprod[level].sqrt() * noise - SCHEDULE.sigma[level] * clean

    def clean_network(x, t):
        return SCHEDULE.alphas_cumprod[int(t[0])].sqrt() * x

    for t in LEVELS:
        for network, kind in ((noise_network, "eps"), (velocity_network, "v"), (clean_network, "x0")):
            found = PredictionLeaf(network, SCHEDULE, kind).evaluate(x, t)
            torch.testing.assert_close(found.score, -x)
            assert found.log_density is None


def test_conditions_of_one_network_share_one_call(generator):
    calls = []

    def network(x, t, condition):
        calls.append(len(x))
        return x * condition[:, :1, None, None] + t[:, None, None, None]

    x = torch.randn(3, 2, 4, 4, generator=generator)
    each = torch.tensor([[1.0], [2.0], [3.0]])
    null, one, two = (
        PredictionLeaf(network, SCHEDULE, condition=c) for c in (torch.zeros(1, 1), torch.ones(1, 1), each)
    )
    found = guidance(null, [one, two], [4.0, 5.0]).evaluate(x, 7)
    assert calls == [9]
    noise = (1 - 9) * 7.0 + 4 * (x + 7) + 5 * (x * each[:, :, None, None] + 7)
    torch.testing.assert_close(found.noise, noise)
    torch.testing.assert_close(found.score, score_from_noise(noise, 7, SCHEDULE))
    with pytest.raises(UsageError, match="condition has batch size 3 for 2 samples"):
        two.evaluate(x[:2], 7)


def test_a_predicted_variance_is_dropped_where_it_is_announced(generator):
    x = torch.randn(3, 2, 4, 4, generator=generator)

    def network(x, t):
        return torch.cat([0.5 * x, torch.full_like(x, 9.0)], dim=1)

    found = PredictionLeaf(network, SCHEDULE, learned_variance=True).evaluate(x, 7)
    torch.testing.assert_close(found.noise, 0.5 * x)
    with pytest.raises(UsageError, match=r"gave shape \(3, 4, 4, 4\) .* set learned_variance"):
        PredictionLeaf(network, SCHEDULE).evaluate(x, 7)


def test_networks_of_other_levels_are_asked_at_their_nearest_time():
    asked = []

    def network(x, t):
        asked.append(t.tolist())
        return x

    own = cosine_schedule(200)
    leaf = PredictionLeaf(network, SCHEDULE, timesteps=own.nearest_levels(SCHEDULE))
    leaf.evaluate(torch.zeros(2, 2), 4)
    assert asked == [[49, 49]]
    with pytest.raises(UsageError, match="200 timesteps for a schedule of 20 levels"):
        PredictionLeaf(network, SCHEDULE, timesteps=torch.arange(200))


def test_energy_leaf_is_minus_scaled_energy_and_its_gradient(generator):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2)).double()

    def energy(x, t):
        return (network(x) - x).square().sum(dim=1) + 0.1 * t * x[:, 0]

    x = torch.randn(5, 2, generator=generator, dtype=torch.float64)
    sigma = float(SCHEDULE.sigma[6])
    inputs = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(energy(inputs, 6).sum(), inputs)
    scaled, plain = EnergyLeaf(energy, SCHEDULE).evaluate(x, 6), EnergyLeaf(energy).evaluate(x, 6)
    torch.testing.assert_close(scaled.log_density, -energy(x, 6).detach() / sigma)
    torch.testing.assert_close(scaled.score, -gradient / sigma)
    torch.testing.assert_close(scaled.noise, gradient)
    torch.testing.assert_close(plain.log_density, -energy(x, 6).detach())
    torch.testing.assert_close(plain.score, -gradient)
    for evaluation in (scaled, plain):
        assert not evaluation.log_density.requires_grad
        assert not evaluation.score.requires_grad


def test_energy_leaves_of_one_network_share_one_call(generator):
    calls = []

    def energy(x, t, condition):
        calls.append(len(x))
        return 0.5 * (x - condition).square().sum(dim=1)

    x = torch.randn(4, 2, generator=generator)
    centres = (torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, -1.0]]))
    left, right = (EnergyLeaf(energy, condition=centre) for centre in centres)
    found = (left & right).evaluate(x, 0)
    assert calls == [8]
    torch.testing.assert_close(found.score, centres[0] + centres[1] - 2 * x)


def test_classifier_guidance_adds_the_gradient_of_the_log_probability(x):
    weight = torch.tensor([[1.0, -1.0, 0.5], [0.2, 0.3, -2.0]], dtype=torch.float64)
    labels = torch.arange(32) % 3
    for label in (1, labels):
        guided = classifier_guidance(A, ClassifierLeaf(lambda x, t: x @ weight, label), 2.5)
        inputs = x.clone().requires_grad_()
        log_probability = torch.log_softmax(inputs @ weight, dim=1)[torch.arange(32), label]
        (gradient,) = torch.autograd.grad(log_probability.sum(), inputs)
        plain, found = A.evaluate(x, 4), guided.evaluate(x, 4)
        torch.testing.assert_close(found.score, plain.score + 2.5 * gradient)
        torch.testing.assert_close(found.log_density, plain.log_density + 2.5 * log_probability.detach())
