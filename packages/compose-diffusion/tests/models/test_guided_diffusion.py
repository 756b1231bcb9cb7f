import math

import pytest
import torch
import torch.nn.functional as F
from onepaper.errors import UsageError
from torch import nn

from compose_diffusion.algebra.leaves import ClassifierLeaf, EnergyLeaf, PredictionLeaf
from compose_diffusion.config.guided_diffusion import EncoderConfig, UNetConfig
from compose_diffusion.diffusion import cosine_schedule, linear_schedule
from compose_diffusion.models.guided_diffusion import (
    GuidedClassifier,
    GuidedEnergy,
    GuidedUNet,
    build_network,
    null_condition,
)

SMALL = {
    "image_size": 16,
    "width": 32,
    "multipliers": (1, 2),
    "num_blocks": 1,
    "attention_sizes": (8,),
    "head_width": 16,
    "image_channels": 2,
}
CONDITIONS = {
    "none": (UNetConfig(**SMALL), None),
    "class": (UNetConfig(**SMALL, condition="class", num_classes=3, null_condition=True), torch.tensor([0, 2])),
    "position": (
        UNetConfig(**SMALL, condition="position", null_condition=True),
        torch.tensor([[0.1, 0.5], [0.9, 0.2]], dtype=torch.float64),
    ),
    "text": (UNetConfig(**SMALL, condition="text", text_dim=5), torch.ones(2, 4, 5, dtype=torch.float64)),
}


def randomised(network, scale=0.1):
    """Weights that are nowhere zero, so that every path through the network counts."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return network.double().eval()


def images(generator, batch=2):
    return torch.randn(batch, 2, 16, 16, generator=generator, dtype=torch.float64)


class Naive:
    """The published forward pass, read off the names of a state dict alone, heads split as in the first release."""

    def __init__(self, state, head_width, *, scale_shift):
        self.state, self.head_width, self.scale_shift = state, head_width, scale_shift

    def has(self, name):
        return any(key.startswith(name + ".") for key in self.state)

    def linear(self, name, x):
        return x @ self.state[f"{name}.weight"].T + self.state[f"{name}.bias"]

    def conv(self, name, x, stride=1):
        weight = self.state[f"{name}.weight"]
        function = F.conv2d if weight.ndim == 4 else F.conv1d
        return function(x, weight, self.state[f"{name}.bias"], stride=stride, padding=weight.shape[-1] // 2)

    def norm(self, name, x):
        grouped = x.reshape(len(x), 32, -1)
        grouped = (grouped - grouped.mean(2, keepdim=True)) / (grouped.var(2, keepdim=True, correction=0) + 1e-5).sqrt()
        weight, bias = (self.state[f"{name}.{key}"].reshape(1, -1, *[1] * (x.ndim - 2)) for key in ("weight", "bias"))
        return grouped.reshape(x.shape) * weight + bias

    def residual(self, name, x, emb, change):
        h = change(F.silu(self.norm(f"{name}.in_layers.0", x)))
        h = self.conv(f"{name}.in_layers.2", h)
        reported = self.linear(f"{name}.emb_layers.1", F.silu(emb))[:, :, None, None]
        if self.scale_shift:
            scale, shift = reported.chunk(2, dim=1)
            h = self.norm(f"{name}.out_layers.0", h) * (1 + scale) + shift
        else:
            h = self.norm(f"{name}.out_layers.0", h + reported)
        h = self.conv(f"{name}.out_layers.3", F.silu(h))
        x = change(x)
        return h + (self.conv(f"{name}.skip_connection", x) if self.has(f"{name}.skip_connection") else x)

    def attention(self, name, x):
        batch, channels, *_ = x.shape
        flat = x.reshape(batch, channels, -1)
        heads, width = channels // self.head_width, self.head_width
        qkv = self.conv(f"{name}.qkv", self.norm(f"{name}.norm", flat))
        q, k, v = qkv.reshape(batch * heads, 3 * width, -1).split(width, dim=1)
        weight = torch.einsum("bct,bcs->bts", q, k) / math.sqrt(width)
        a = torch.einsum("bts,bcs->bct", weight.softmax(-1), v).reshape(batch, channels, -1)
        return (flat + self.conv(f"{name}.proj_out", a)).reshape(x.shape)

    def stage(self, name, x, emb, change=lambda h: h):
        layer = 0
        while self.has(f"{name}.{layer}"):
            part = f"{name}.{layer}"
            if self.has(f"{part}.qkv"):
                x = self.attention(part, x)
            elif self.has(f"{part}.in_layers"):
                # The last of several residual layers is the one that resamples.
                last = layer > 0 or name.startswith("input")
                x = self.residual(part, x, emb, change if last else lambda h: h)
            elif self.has(f"{part}.op"):
                x = self.conv(f"{part}.op", x, stride=2)
            elif self.has(f"{part}.conv"):
                x = self.conv(f"{part}.conv", x.repeat_interleave(2, 2).repeat_interleave(2, 3))
            else:
                x = self.conv(part, x)
            layer += 1
        return x

    def down_and_middle(self, x, t, label=0.0, *, halving):
        width = self.state["time_embed.0.weight"].shape[1]
        angles = t[:, None] * torch.exp(-math.log(10000) * torch.arange(width // 2).double() / (width // 2))
        emb = torch.cat([angles.cos(), angles.sin()], dim=1)
        emb = self.linear("time_embed.2", F.silu(self.linear("time_embed.0", emb))) + label
        h, kept, block = x, [], 0
        while self.has(f"input_blocks.{block}"):
            pool = (lambda h: F.avg_pool2d(h, 2)) if block in halving else (lambda h: h)
            h = self.stage(f"input_blocks.{block}", h, emb, pool)
            kept.append(h)
            block += 1
        h = self.residual("middle_block.0", h, emb, lambda h: h)
        h = self.attention("middle_block.1", h)
        return self.residual("middle_block.2", h, emb, lambda h: h), kept, emb

    def unet(self, x, t, label=0.0, *, halving, doubling):
        h, kept, emb = self.down_and_middle(x, t, label, halving=halving)
        block = 0
        while self.has(f"output_blocks.{block}"):
            double = (lambda h: h.repeat_interleave(2, 2).repeat_interleave(2, 3)) if block in doubling else lambda h: h
            h = self.stage(f"output_blocks.{block}", torch.cat([h, kept.pop()], dim=1), emb, double)
            block += 1
        return self.conv("out.2", F.silu(self.norm("out.0", h)))


@pytest.mark.parametrize("scale_shift", [True, False])
@pytest.mark.parametrize("residual_resampling", [True, False])
def test_forward_is_the_published_one(scale_shift, residual_resampling, generator):
    config = UNetConfig(
        **SMALL,
        scale_shift_norm=scale_shift,
        residual_resampling=residual_resampling,
        condition="class",
        num_classes=3,
        predicts_variance=True,
    )
    network = randomised(GuidedUNet(config))
    state = network.state_dict()
    x, t, labels = images(generator), torch.tensor([3, 900]), torch.tensor([2, 0])
    naive = Naive(state, 16, scale_shift=scale_shift)
    with torch.no_grad():
        # Input blocks: 0 stem, 1 block, 2 halving, 3 block; output blocks: 0, 1 (doubling) at 8, 2, 3 at 16.
        expected = naive.unet(x, t.double(), state["label_emb.weight"][labels], halving={2}, doubling={1})
        torch.testing.assert_close(network.outputs(x, t, labels), expected)
        torch.testing.assert_close(network(x, t, labels), expected[:, :2])


@pytest.mark.parametrize("pool", ["attention", "average"])
def test_classifier_is_the_published_encoder_with_its_pooling(pool, generator):
    network = randomised(GuidedClassifier(EncoderConfig(**SMALL, num_classes=7, pool=pool)))
    x, t = images(generator), torch.tensor([3, 900])
    naive = Naive(network.state_dict(), 16, scale_shift=True)
    with torch.no_grad():
        h, _, _ = naive.down_and_middle(x, t.double(), halving={2})
        h = F.silu(naive.norm("out.0", h))
        # The pooling itself is tested in test_guided_blocks.
        expected = network.out[2](h) if pool == "attention" else naive.conv("out.3", h.mean((2, 3), keepdim=True))
        torch.testing.assert_close(network(x, t), expected.flatten(1))
    assert network(x, t).shape == (2, 7)


@pytest.mark.parametrize("config", [UNetConfig(**SMALL), EncoderConfig(**SMALL, num_classes=7)])
def test_output_depends_on_level_and_only_on_the_own_sample(config, generator):
    network = randomised(build_network(config), 0.3)
    x, t = images(generator), torch.tensor([3, 900])
    with torch.no_grad():
        whole = network(x, t)
        torch.testing.assert_close(network(x[1:], t[1:])[0], whole[1])
        assert not torch.allclose(network(x, t + 10), whole, rtol=1e-3)


@pytest.mark.parametrize("kind", CONDITIONS)
def test_conditions_matter_and_without_one_the_null_condition_is_meant(kind, generator):
    config, condition = CONDITIONS[kind]
    network = randomised(GuidedUNet(config))
    x, t = images(generator), torch.tensor([3, 90])
    with torch.no_grad():
        free = network(x, t)
        if condition is None:
            return
        torch.testing.assert_close(free, network(x, t, null_condition(config, x)), rtol=0, atol=0)
        reported = network(x, t, condition)
        assert not torch.allclose(reported, free)
        # Each sample sees its own condition only.
        torch.testing.assert_close(network(x[1:], t[1:], condition[1:])[0], reported[1])


def test_null_embedding_takes_the_place_of_the_label(generator):
    config, labels = CONDITIONS["class"]
    network = randomised(GuidedUNet(config))
    x, t = images(generator), torch.tensor([3, 90])
    with torch.no_grad():
        network.null_emb.weight.copy_(network.label_emb.weight[labels[1]][None])
        torch.testing.assert_close(network(x, t)[1], network(x, t, labels)[1])


def test_tokens_of_zeros_are_padding(generator):
    config, text = CONDITIONS["text"]
    network = randomised(GuidedUNet(config))
    x, t = images(generator), torch.tensor([3, 90])
    padded = torch.cat([text, torch.zeros(2, 3, 5, dtype=torch.float64)], dim=1)
    with torch.no_grad():
        torch.testing.assert_close(network(x, t, padded), network(x, t, text))
        torch.testing.assert_close(network(x, t, torch.zeros_like(text)), network(x, t))


def test_a_network_without_null_condition_needs_one(generator):
    network = GuidedUNet(UNetConfig(**SMALL, condition="class", num_classes=3)).double()
    with pytest.raises(UsageError, match="trained with condition 'class' only and has no unconditional branch"):
        network(images(generator), torch.tensor([3, 90]))


@pytest.mark.parametrize(
    ("kind", "condition", "message"),
    [
        ("none", torch.tensor([1, 2]), "takes no condition"),
        ("class", torch.tensor([1]), r"shape \(1,\) for 2 images, expected \[batch\]"),
        ("position", torch.zeros(2, 3), r"shape \(2, 3\) for 2 images, expected \[batch, 2\]"),
        ("text", torch.zeros(2, 4, 6), r"shape \(2, 4, 6\) for 2 images, expected \[batch, tokens, 5\]"),
    ],
)
def test_conditions_of_the_wrong_shape(kind, condition, message, generator):
    network = GuidedUNet(CONDITIONS[kind][0]).double()
    with pytest.raises(UsageError, match=message):
        network(images(generator), torch.tensor([3, 90]), condition)


def energy_network(form, **fields):
    return randomised(GuidedEnergy(UNetConfig(**SMALL, form=form, **fields)))


@pytest.mark.parametrize("form", ["dae", "l2", "dot"])
def test_energy_forms_of_the_output(form, generator):
    network = energy_network(form)
    x, t = images(generator), torch.tensor([3, 90])
    with torch.no_grad():
        h = network.outputs(x, t)
        for index in range(2):
            expected = {
                "dae": 0.5 * ((h[index] - x[index]) ** 2).sum(),
                "l2": 0.5 * (h[index] ** 2).sum(),
                "dot": (h[index] * x[index]).sum(),
            }[form]
            torch.testing.assert_close(network(x, t)[index], expected)


@pytest.mark.parametrize("form", ["dae", "l2", "dot"])
def test_noise_of_an_energy_is_its_gradient(form, generator):
    network = energy_network(form)
    x, t = images(generator), torch.tensor([3, 90])
    noise = network.noise(x, t)
    step = 1e-5 * torch.randn(x.shape, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        change = network(x + step, t) - network(x - step, t)
        assert not network.noise(x, t).requires_grad
    torch.testing.assert_close(change, 2 * (noise * step).sum((1, 2, 3)), rtol=1e-6, atol=1e-12)


def test_training_gradient_goes_twice_through_the_network(generator):
    """d loss / d weight of an energy's noise prediction, attention included, against finite differences."""
    network = energy_network("dae")
    x, t, target = images(generator), torch.tensor([3, 90]), images(generator)

    def loss():
        return (network.noise(x, t) - target).square().mean()

    for name in ("middle_block.1.qkv.weight", "input_blocks.1.0.emb_layers.1.weight"):
        weight = dict(network.named_parameters())[name]
        network.zero_grad()
        loss().backward()
        direction = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
        slope = float((weight.grad * direction).sum())
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                weight.add_(sign * 1e-5 * direction)
            values.append(float(loss().detach()))
            with torch.no_grad():
                weight.sub_(sign * 1e-5 * direction)
        assert (values[0] - values[1]) / 2e-5 == pytest.approx(slope, rel=1e-5)


def test_a_new_autoencoder_energy_is_that_of_a_standard_normal(generator):
    network = GuidedEnergy(UNetConfig(**SMALL, form="dae")).double()
    x, t = images(generator), torch.tensor([3, 90])
    torch.testing.assert_close(network(x, t), 0.5 * x.square().sum((1, 2, 3)))


@pytest.mark.parametrize("form", ["l2", "dot"])
def test_a_new_energy_of_another_form_can_learn(form, generator):
    network = GuidedEnergy(UNetConfig(**SMALL, form=form)).double()
    network.noise(images(generator), torch.tensor([3, 90])).square().sum().backward()
    assert network.out[2].weight.grad.abs().max() > 0


def test_energies_of_half_precision_are_summed_in_single(generator):
    network = energy_network("l2").to(torch.bfloat16)
    x = images(generator).to(torch.bfloat16)
    assert network(x, torch.tensor([3, 90])).dtype == torch.float32


def test_networks_as_leaves(generator):
    schedule = linear_schedule(1000)
    x = images(generator).float()
    network = randomised(GuidedUNet(UNetConfig(**SMALL, predicts_variance=True))).float()
    leaf = PredictionLeaf(network, schedule)
    with torch.no_grad():
        torch.testing.assert_close(leaf.evaluate(x, 500).noise, network(x, torch.tensor([500, 500])))
    energy = energy_network("l2").float()
    found = EnergyLeaf(energy, cosine_schedule(1000)).evaluate(x, 500)
    sigma = float(cosine_schedule(1000).sigma[500])
    torch.testing.assert_close(found.log_density, -energy(x, torch.tensor([500, 500])).detach() / sigma)
    classifier = randomised(GuidedClassifier(EncoderConfig(**SMALL, num_classes=7))).float()
    evaluated = ClassifierLeaf(classifier, 3).evaluate(x, 500)
    expected = torch.log_softmax(classifier(x, torch.tensor([500, 500])), dim=1)[:, 3]
    torch.testing.assert_close(evaluated.log_density, expected.detach())
    assert evaluated.score.abs().max() > 0


@pytest.mark.parametrize(
    "config",
    [UNetConfig(**SMALL), UNetConfig(**SMALL, form="dae"), EncoderConfig(**SMALL, num_classes=4)],
    ids=["noise", "energy", "classifier"],
)
def test_saved_networks_come_back(config, tmp_path):
    network = randomised(build_network(config)).float()
    again = type(network).from_pretrained(network.save_pretrained(tmp_path))
    assert again.config == config
    assert not again.training
    for name, value in network.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, rtol=0, atol=0)


def test_networks_of_the_other_form_are_refused():
    with pytest.raises(UsageError, match="form is 'dae', expected 'noise'"):
        GuidedUNet(UNetConfig(**SMALL, form="dae"))
    with pytest.raises(UsageError, match="form is 'noise', expected 'dae', 'l2' or 'dot'"):
        GuidedEnergy(UNetConfig(**SMALL))


def test_classifier_with_attention_pooling_knows_one_size():
    network = GuidedClassifier(EncoderConfig(**SMALL, num_classes=4))
    with pytest.raises(UsageError, match="images are 8 x 8, expected 16 x 16"):
        network(torch.zeros(1, 2, 8, 8), torch.tensor([0]))
    average = GuidedClassifier(EncoderConfig(**SMALL, num_classes=4, pool="average"))
    assert average(torch.zeros(1, 2, 8, 8), torch.tensor([0])).shape == (1, 4)


def test_u_net_takes_other_sizes():
    network = GuidedUNet(UNetConfig(**SMALL))
    assert network(torch.zeros(1, 2, 10, 24), torch.tensor([0])).shape == (1, 2, 10, 24)
    assert isinstance(network.out[2], nn.Conv2d)
    with pytest.raises(UsageError, match="expected 2 channels and a height and width that are multiples of 2"):
        network(torch.zeros(1, 3, 16, 16), torch.tensor([0]))
