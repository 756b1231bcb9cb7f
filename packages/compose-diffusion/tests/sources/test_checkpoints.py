import pytest
import torch
from onepaper.errors import UsageError

from compose_diffusion.algebra.composition import guidance
from compose_diffusion.config.guided_diffusion import EncoderConfig, UNetConfig
from compose_diffusion.config.networks import ScheduleConfig
from compose_diffusion.models.guided_diffusion import build_network
from compose_diffusion.samplers.samplers import draw
from compose_diffusion.sources.checkpoints import CheckpointSource
from compose_diffusion.sources.source import Source

SMALL = {
    "image_size": 8,
    "width": 32,
    "multipliers": (1, 1),
    "num_blocks": 1,
    "attention_sizes": (),
    "head_width": 32,
    "schedule": ScheduleConfig("cosine", 20),
}
CONFIGS = {
    "class": UNetConfig(**SMALL, form="l2", condition="class", num_classes=3, null_condition=True),
    "position": UNetConfig(**SMALL, condition="position", null_condition=True, predicts_variance=True),
    "none": UNetConfig(**SMALL),
    "always": UNetConfig(**SMALL, condition="class", num_classes=3),
    "text": UNetConfig(**SMALL, condition="text", text_dim=5),
    "classifier": EncoderConfig(**SMALL, num_classes=4),
}


@pytest.fixture
def source(tmp_path):
    def make(kind, num_levels=10):
        network = build_network(CONFIGS[kind])
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
        torch.save(network.state_dict(), tmp_path / f"{kind}.pt")
        return CheckpointSource(tmp_path / f"{kind}.pt", CONFIGS[kind], num_levels=num_levels)

    return make


def test_levels_are_spaced_among_the_trained_ones(source):
    made = source("class")
    assert isinstance(made, Source)
    assert made.event_shape == (3, 8, 8)
    assert len(made.schedule) == 10
    kept = [round(index * 19 / 9) for index in range(10)]
    torch.testing.assert_close(made.schedule.alphas_cumprod, made.trained_schedule.alphas_cumprod[kept])
    assert made.leaf(None, made.schedule).timesteps == kept
    assert {options.last_level for options in made.kernel_defaults.values()} == {5}
    assert len(source("class", 100).schedule) == 20


def test_leaves_are_the_network_at_its_own_levels(source, generator):
    x = torch.randn(2, 3, 8, 8, generator=generator)
    for kind, reported, condition in (
        ("class", "2", torch.tensor([2, 2])),
        ("class", None, torch.tensor([3, 3])),
        ("position", "0.25, 0.5", torch.tensor([[0.25, 0.5]] * 2)),
        ("position", None, torch.tensor([[-1.0, -1.0]] * 2)),
        ("none", None, None),
    ):
        made = source(kind)
        found = made.leaf(reported, made.schedule).evaluate(x, 4)
        expected = made.network.noise(x, torch.full((2,), round(4 * 19 / 9)), condition)
        torch.testing.assert_close(found.noise, expected.detach())
        assert not torch.allclose(found.noise, made.network.noise(x, torch.full((2,), 4), condition), rtol=1e-3)
        assert (found.log_density is not None) == (kind == "class")


def test_classifier_is_asked_at_its_own_levels(source, generator):
    x = torch.randn(2, 3, 8, 8, generator=generator)
    classifier = source("classifier")
    found = classifier.leaf("1", classifier.schedule).evaluate(x, 4)
    logits = classifier.network(x, torch.full((2,), round(4 * 19 / 9)))
    torch.testing.assert_close(found.log_density, torch.log_softmax(logits, dim=1)[:, 1].detach())
    assert not torch.allclose(logits, classifier.network(x, torch.full((2,), 4)), rtol=1e-3)


def test_guided_images_are_drawn_in_one_call_a_step(source, generator):
    made = source("class")
    calls = []
    made.network.register_forward_pre_hook(lambda _, inputs: calls.append(len(inputs[0])))
    leaves = [made.leaf(reported, made.schedule) for reported in (None, "0", "2")]
    composed = guidance(leaves[0], leaves[1:], [4.0, 4.0])
    start = torch.randn(2, *made.event_shape, generator=generator)
    drawn = draw(composed, made.schedule, start, made.kernel_defaults["mala"], generator)
    assert drawn.x.isfinite().all()
    assert set(calls) == {6}


@pytest.mark.parametrize(
    ("kind", "reported", "message"),
    [
        ("class", "3", "does not accept the condition '3', expected a whole number from 0 to 2"),
        ("class", "cube", "expected a whole number from 0 to 2"),
        ("position", "0.1", "expected two numbers from 0 to 1"),
        ("position", "0.1, 1.5", "expected two numbers from 0 to 1"),
        ("position", "left", "expected two numbers from 0 to 1"),
        ("none", "1", "does not accept the condition '1', expected no condition"),
        ("text", "a cat", "expected no condition on the command line"),
        ("always", None, "always.pt was trained with a class only, expected one in brackets"),
        ("classifier", None, r"classifier.pt is a classifier, expected a class in brackets, e.g. classifier.pt\[0\]"),
        ("classifier", "4", "expected a whole number from 0 to 3"),
    ],
)
def test_conditions_that_a_network_does_not_know(kind, reported, message, source):
    made = source(kind)
    with pytest.raises(UsageError, match=message):
        made.leaf(reported, made.schedule)
