import pytest
import torch
from onepaper.errors import UsageError
from PIL import Image

from compose_diffusion.config.samplers import KERNELS
from compose_diffusion.data.distributions import DISTRIBUTIONS, make_distribution
from compose_diffusion.diffusion import cosine_schedule
from compose_diffusion.sources.builtin import ToySource


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_leaf_is_the_distribution(name, generator):
    source = ToySource(name, torch.device("cpu"))
    schedule = cosine_schedule(7)
    x = torch.randn(5, *source.event_shape, generator=generator, dtype=source.dtype)
    found = source.leaf(None, schedule).evaluate(x, 6)
    log_density, score = make_distribution(name).noised(x, float(schedule.alphas_cumprod[6]))
    torch.testing.assert_close(found.log_density, log_density)
    torch.testing.assert_close(found.score, score)


def test_steps_picture_and_evaluator(tmp_path):
    source = ToySource("ring", torch.device("cpu"))
    assert {name: options.kernel for name, options in source.kernel_defaults.items()} == {
        name: name for name in KERNELS
    }
    assert source.attribute_accuracy(torch.zeros(3, 2), ["anything"]) == {}
    source.write_picture(torch.zeros(3, 2), tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.size[0] == picture.size[1]


def test_apples_gpu_knows_no_float64():
    assert ToySource("ring", torch.device("mps")).dtype == torch.float32


def test_conditions_are_refused():
    with pytest.raises(UsageError, match="ring was given the condition '3', expected none"):
        ToySource("ring", torch.device("cpu")).leaf("3", cosine_schedule(5))
