import pytest
import torch
from onepaper.errors import UsageError
from torch import nn

from compose_diffusion.diffusion import cosine_schedule, linear_schedule, score_from_noise
from compose_diffusion.pretrained.conditions import NO_CONDITION, Condition
from compose_diffusion.pretrained.leaf import DiffusersLeaf
from compose_diffusion.pretrained.matching import TrainedLevels, match_levels
from compose_diffusion.pretrained.networks import NetworkKind

SCHEDULE = cosine_schedule(20)


class Toy(nn.Module):
    """Noise prediction weight * x + condition; knows how often and with how many rows it was called."""

    def __init__(self, variance=False):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.7))
        self.variance = variance
        self.rows = []

    def forward(self, x, time, conditions):
        assert x.dtype == self.weight.dtype
        self.rows.append(len(x))
        out = self.weight * x
        if "shift" in conditions:
            out = out + conditions["shift"][:, :, None, None]
        return torch.cat([out, torch.full_like(out, 9.0)], dim=1) if self.variance else out


KIND = NetworkKind(lambda network, x, time, conditions: network(x, time, conditions), "none", (2, 4, 4), 2)
TRAINED = TrainedLevels("eps", SCHEDULE, SCHEDULE, 20)


def leaf(network, condition=NO_CONDITION, **settings):
    return DiffusersLeaf(network, KIND, SCHEDULE, match_levels(TRAINED, SCHEDULE), condition, **settings)


def shift(value):
    return Condition(value, {"shift": torch.full((1, 2), float(value))})


@pytest.fixture
def x(generator):
    return torch.randn(3, 2, 4, 4, generator=generator)


def test_guidance_combines_outputs_in_one_call_with_each_condition_once(x):
    network = Toy()
    null, one, two = shift(0), shift(1), shift(2)
    first = leaf(network, one, negative=null, guidance_scale=5.0)
    second = leaf(network, two, negative=null, guidance_scale=3.0)
    plain = leaf(network, two)
    found = (first & second & plain).evaluate(x, 4)
    assert network.rows == [9]
    expected = (0.7 * x + 5 * 1) + (0.7 * x + 3 * 2) + (0.7 * x + 2)
    torch.testing.assert_close(found.noise, expected)
    torch.testing.assert_close(found.score, score_from_noise(expected, 4, SCHEDULE))
    assert found.log_density is None


def test_networks_in_half_precision_give_scores_in_float32(x):
    network = Toy().to(torch.bfloat16)
    found = leaf(network, shift(1), negative=shift(0), guidance_scale=2.0).evaluate(x, 4)
    assert found.score.dtype == found.noise.dtype == torch.float32
    rough = (torch.tensor(0.7, dtype=torch.bfloat16) * x.to(torch.bfloat16)).float() + 2.0
    torch.testing.assert_close(found.noise, rough, rtol=0.02, atol=0.02)
    assert leaf(network).evaluate(x.double(), 4).score.dtype == torch.float64


def test_a_predicted_variance_is_dropped(x):
    torch.testing.assert_close(leaf(Toy(variance=True)).evaluate(x, 4).noise, 0.7 * x)


def test_leaves_of_one_network_that_are_read_differently_are_called_apart(x):
    network = Toy()
    velocity = TrainedLevels("v", SCHEDULE, SCHEDULE, 20)
    other = DiffusersLeaf(network, KIND, SCHEDULE, match_levels(velocity, SCHEDULE), NO_CONDITION)
    found = (leaf(network) & other).evaluate(x, 4)
    assert network.rows == [3, 3]
    alpha_bar = float(SCHEDULE.alphas_cumprod[4])
    torch.testing.assert_close(found.noise, 0.7 * x + alpha_bar**0.5 * 0.7 * x + (1 - alpha_bar) ** 0.5 * x)


def test_conditions_may_differ_between_samples(x):
    each = Condition("each", {"shift": torch.tensor([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])})
    found = leaf(Toy(), each).evaluate(x, 0)
    torch.testing.assert_close(found.noise, 0.7 * x + torch.tensor([1.0, 2.0, 3.0])[:, None, None, None])
    with pytest.raises(UsageError, match="condition 'shift' has batch size 3 for 2 samples"):
        leaf(Toy(), each).evaluate(x[:2], 0)


def test_samples_of_another_shape():
    with pytest.raises(UsageError, match=r"samples have shape \(3, 1, 4, 4\), expected \[batch, 2, 4, 4\] for Toy"):
        leaf(Toy()).evaluate(torch.zeros(3, 1, 4, 4), 0)
    cropping = NetworkKind(lambda network, x, time, conditions: x[..., :2], "none", None, 2)
    cropped = DiffusersLeaf(Toy(), cropping, SCHEDULE, match_levels(TRAINED, SCHEDULE), NO_CONDITION)
    with pytest.raises(UsageError, match=r"Toy gave shape \(3, 2, 4, 2\)"):
        cropped.evaluate(torch.zeros(3, 2, 4, 4), 0)


def test_flow_networks_get_their_own_scale_and_fractional_time(x):
    seen = {}

    def call(network, z, time, conditions):
        seen.update(z=z, time=time)
        return torch.zeros_like(z)

    schedule = linear_schedule(50)
    flow = TrainedLevels("flow", schedule, None, 1000)
    found = DiffusersLeaf(
        Toy(), NetworkKind(call, "none", None, 2), schedule, match_levels(flow, schedule), NO_CONDITION
    ).evaluate(x, 30)
    root, sigma = float(schedule.alphas_cumprod[30]) ** 0.5, float(schedule.sigma[30])
    torch.testing.assert_close(seen["z"], x / (root + sigma))
    torch.testing.assert_close(seen["time"], torch.full((3,), 1000 * sigma / (root + sigma)))
    torch.testing.assert_close(found.noise, x / (root + sigma))
