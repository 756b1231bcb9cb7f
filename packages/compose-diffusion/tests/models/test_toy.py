"""The networks against the paper's count, central differences, gradients by hand, and what they must refuse."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from onepaper.errors import OnePaperError, UsageError

from compose_diffusion.config.networks import ScheduleConfig
from compose_diffusion.config.toy import ENERGY_FORMS, FORMS, ToyNetworkConfig
from compose_diffusion.models.toy import ResidualMLP, ToyEnergy, ToyScore, load_network, make_network

SMALL = ToyNetworkConfig(width=8, num_blocks=2, time_dim=4)


def randomised(config, dtype=torch.float64):
    """Weights that are nowhere zero, so that every path through the network counts."""
    network = make_network(config).to(dtype)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.4 * torch.randn(parameter.shape, generator=generator, dtype=dtype))
    return network


def points(generator, count=5):
    return torch.randn(count, 2, generator=generator, dtype=torch.float64), torch.arange(count) * 20 % 100


@pytest.mark.parametrize("form", FORMS)
def test_the_papers_parameter_count(form):
    network = make_network(ToyNetworkConfig(form=form))
    assert sum(parameter.numel() for parameter in network.parameters()) == 565_506


def test_perceptron_written_out(generator):
    network = randomised(replace(SMALL, form="score"))
    x, t = points(generator)
    weights = dict(network.mlp.named_parameters())

    def linear(name, h):
        return h @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def swish(h):
        return h / (1 + torch.exp(-h))

    h = linear("layer_in", x)
    for block in ("blocks.0", "blocks.1"):
        normed = (h - h.mean(1, keepdim=True)) / (h.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
        normed = normed * weights[f"{block}.norm.weight"] + weights[f"{block}.norm.bias"]
        inner = linear(f"{block}.layer_in", swish(normed))
        inner = inner + linear(f"{block}.layer_time", weights["time_embedding.weight"][t])
        h = h + linear(f"{block}.layer_out", swish(linear(f"{block}.layer_inner", swish(inner))))
    torch.testing.assert_close(network(x, t), linear("layer_out", h))


def test_energies_by_hand(generator):
    x, t = points(generator)
    h = randomised(replace(SMALL, form="score"))(x, t)
    by_hand = {
        "dae": ((h - x) ** 2).sum(dim=1),
        "l2": (h**2).sum(dim=1) / 2,
        "dot": h[:, 0] * x[:, 0] + h[:, 1] * x[:, 1],
    }
    for form, expected in by_hand.items():
        torch.testing.assert_close(randomised(replace(SMALL, form=form))(x, t), expected)


@pytest.mark.parametrize("form", ENERGY_FORMS)
def test_noise_is_the_gradient_by_central_differences(form, generator):
    network = randomised(replace(SMALL, form=form))
    x, t = points(generator)
    step = 1e-5
    with torch.no_grad():
        for axis in range(2):
            shift = torch.zeros(2, dtype=torch.float64).index_fill(0, torch.tensor([axis]), step)
            slope = (network(x + shift, t) - network(x - shift, t)) / (2 * step)
            torch.testing.assert_close(network.noise(x, t)[:, axis], slope, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("form", FORMS)
def test_weights_learn_through_the_double_backward(form, generator):
    """The loss's gradient by every weight, against central differences of the loss."""
    network = randomised(replace(SMALL, form=form))
    x, t = points(generator)
    target = torch.randn(x.shape, generator=generator, dtype=torch.float64)

    def loss():
        return F.mse_loss(network.noise(x, t), target)

    loss().backward()
    step = 1e-5
    for name, parameter in network.named_parameters():
        direction = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter.add_(sign * step * direction)
                values.append(loss())
                parameter.sub_(sign * step * direction)
        slope = (values[0] - values[1]) / (2 * step)
        assert parameter.grad is not None
        torch.testing.assert_close((parameter.grad * direction).sum(), slope, rtol=1e-5, atol=1e-8, msg=name)


def test_energy_is_a_potential(generator):
    """The line integral of the predicted noise is the difference of energies, whichever way round."""
    network = randomised(replace(SMALL, form="dae"))
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    nodes = torch.linspace(0, 1, 2001, dtype=torch.float64)[:, None]
    t = torch.full((len(nodes),), 30)

    def along(start, end):
        values = (network.noise(start + nodes * (end - start), t) * (end - start)).sum(dim=1)
        return torch.trapezoid(values, nodes[:, 0]).detach()

    direct, around = along(corners[0], corners[2]), along(corners[0], corners[1]) + along(corners[1], corners[2])
    energies = network(corners, torch.full((3,), 30)).detach()
    torch.testing.assert_close(direct, energies[2] - energies[0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(around, direct, rtol=1e-5, atol=1e-6)


def test_where_the_forms_start(generator):
    x, t = points(generator)
    x = x.float()
    torch.testing.assert_close(make_network(replace(SMALL, form="dae")).noise(x, t), 2 * x)
    assert not make_network(replace(SMALL, form="dot")).noise(x, t).any()
    assert not make_network(replace(SMALL, form="score"))(x, t).any()
    assert make_network(replace(SMALL, form="l2")).noise(x, t).abs().amin(dim=0).gt(0).all()


def test_l2_energy_with_a_zero_output_would_be_dead(generator):
    """Why the l2 form does not start at h = 0, and that ours does learn."""
    x, t = points(generator)
    x = x.float()

    def gradients(zero_output):
        network = ToyEnergy(replace(SMALL, form="l2"))
        network.mlp = ResidualMLP(SMALL, zero_output=zero_output)
        (network.noise(x, t) - 1).square().sum().backward()
        return [parameter.grad.abs().max().item() for parameter in network.mlp.parameters()]

    assert max(gradients(zero_output=True)) == 0
    assert max(gradients(zero_output=False)) > 0
    fresh = ToyEnergy(replace(SMALL, form="l2"))
    (fresh.noise(x, t) - 1).square().sum().backward()
    assert max(parameter.grad.abs().max().item() for parameter in fresh.parameters()) > 0


def test_weights_start_with_the_variance_of_their_inputs():
    torch.manual_seed(0)
    mlp = make_network(ToyNetworkConfig()).mlp
    weight = mlp.blocks[0].layer_inner.weight
    # A normal cut at two standard deviations has 0.774 of the variance.
    assert weight.var().item() == pytest.approx(0.774 / 256, rel=0.03)
    assert weight.abs().max() <= 2 / 16
    assert not mlp.blocks[0].layer_inner.bias.any()
    assert not mlp.blocks[0].layer_out.weight.any()


def test_no_graph_is_kept_where_gradients_are_off(generator):
    x, t = points(generator)
    network = make_network(SMALL)
    assert network.noise(x.float(), t).requires_grad
    with torch.no_grad():
        assert not network.noise(x.float(), t).requires_grad


@pytest.mark.parametrize("form", ["score", "dot"])
def test_saved_networks_come_back(form, tmp_path, generator):
    network = randomised(replace(SMALL, form=form, schedule=ScheduleConfig("linear", 50)), torch.float32)
    again = load_network(network.save_pretrained(tmp_path / "network"))
    assert type(again) is type(network)
    assert again.config == network.config
    assert not again.training
    x, t = points(generator, 2)
    torch.testing.assert_close(again(x.float(), t), network(x.float(), t), rtol=0, atol=0)


def test_what_does_not_fit_is_refused(tmp_path):
    network = make_network(SMALL)
    for level in (100, -1):
        with pytest.raises(UsageError, match=rf"levels go from .*{level}.*, expected 0 to 99"):
            network(torch.zeros(2, 2), torch.tensor([3, level]))
    with pytest.raises(UsageError, match="ToyScore of form 'dae', expected score"):
        ToyScore(SMALL)
    with pytest.raises(UsageError, match="ToyEnergy of form 'score', expected dae or l2 or dot"):
        ToyEnergy(replace(SMALL, form="score"))
    folder = network.save_pretrained(tmp_path / "network")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(OnePaperError, match="damaged"):
        load_network(folder)
