import shutil

import pytest
import torch
from onepaper.data import file_sha256, read_sums
from onepaper.errors import OnePaperError, UsageError

from compose_diffusion.config.digits import ClassifierConfig, DenoiserConfig
from compose_diffusion.config.networks import ScheduleConfig
from compose_diffusion.data.digits import load_digits
from compose_diffusion.diffusion import add_noise, make_schedule
from compose_diffusion.models.digits import SHIPPED_WEIGHTS, Denoiser, DigitModels, NoisyClassifier

SMALL = DenoiserConfig(width=8)


@pytest.fixture(scope="module")
def shipped():
    return DigitModels.from_pretrained()


def randomised(model):
    """Weights that are nowhere zero, so that every path through the network counts."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def test_schedules_are_those_of_the_config():
    assert len(make_schedule(ScheduleConfig(num_levels=7))) == 7
    linear = make_schedule(ScheduleConfig("linear", 5, 0.1, 0.5))
    torch.testing.assert_close(linear.betas, torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5], dtype=torch.float64))


@pytest.mark.parametrize("shape", [(8, 8), (6, 10), (28, 28)])
def test_denoiser_takes_any_even_size(shape, generator):
    model = randomised(Denoiser(SMALL))
    x = torch.randn(3, 1, *shape, generator=generator)
    assert model(x, torch.tensor([0, 5, 99]), torch.tensor([1, 2, 10])).shape == x.shape


def test_denoiser_of_one_resolution_takes_odd_sizes(generator):
    model = Denoiser(DenoiserConfig(width=8, multipliers=(1,)))
    x = torch.randn(2, 1, 5, 7, generator=generator)
    assert model(x, torch.zeros(2, dtype=torch.long)).shape == x.shape


def test_denoiser_starts_at_zero(generator):
    x = torch.randn(2, 1, 8, 8, generator=generator)
    assert not Denoiser(SMALL)(x, torch.zeros(2, dtype=torch.long)).any()


def test_no_label_is_the_null_label(generator):
    model = randomised(Denoiser(SMALL))
    x, t = torch.randn(2, 1, 8, 8, generator=generator), torch.tensor([3, 50])
    null = model(x, t, torch.full((2,), model.null_label))
    torch.testing.assert_close(model(x, t), null, rtol=0, atol=0)
    assert not torch.allclose(model(x, t, torch.tensor([0, 1])), null)


def test_output_depends_on_level_and_only_on_the_own_sample(generator):
    model = randomised(Denoiser(SMALL))
    x, t = torch.randn(4, 1, 8, 8, generator=generator), torch.tensor([3, 50, 3, 99])
    whole = model(x, t)
    for index in range(4):
        torch.testing.assert_close(model(x[index : index + 1], t[index : index + 1])[0], whole[index])
    assert not torch.allclose(model(x, t + torch.tensor([1, 0, 0, 0]))[0], whole[0])


@pytest.mark.parametrize("shape", [(2, 1, 7, 8), (2, 1, 8, 9), (2, 3, 8, 8)])
def test_images_that_do_not_fit_are_refused(shape):
    with pytest.raises(UsageError, match="multiples of 2"):
        Denoiser(SMALL)(torch.zeros(shape), torch.zeros(shape[0], dtype=torch.long))


def test_classifier_gives_logits(generator):
    model = randomised(NoisyClassifier(ClassifierConfig(width=8)))
    x = torch.randn(3, 1, 8, 8, generator=generator)
    assert model(x, torch.tensor([0, 50, 99])).shape == (3, 10)


@pytest.mark.parametrize(
    ("kind", "config"),
    [(Denoiser, SMALL), (NoisyClassifier, ClassifierConfig(width=8, schedule=ScheduleConfig("linear")))],
)
def test_saved_models_come_back(kind, config, tmp_path):
    model = randomised(kind(config))
    again = kind.from_pretrained(model.save_pretrained(tmp_path / "model"))
    assert again.config == config
    assert not again.training
    for name, value in model.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, rtol=0, atol=0)


def test_a_model_of_another_kind_is_refused(tmp_path):
    folder = Denoiser(SMALL).save_pretrained(tmp_path / "model")
    with pytest.raises(UsageError, match="DenoiserConfig"):
        NoisyClassifier.from_pretrained(folder)


def test_shipped_weights_are_as_listed():
    listed = read_sums(SHIPPED_WEIGHTS)
    assert {name: file_sha256(SHIPPED_WEIGHTS / name) for name in listed} == listed
    assert {"denoiser/model.safetensors", "classifier/config.json"} <= listed.keys()


def test_shipped_networks_know_unseen_digits(shipped, generator):
    digits = load_digits("evaluator")
    noise = torch.randn(digits.images.shape, generator=generator)
    with torch.no_grad():
        for level, largest_error, accuracy in ((10, 0.5, 0.97), (50, 0.15, 0.6)):
            t = torch.full((len(digits),), level)
            noised = add_noise(digits.images, noise, level, shipped.schedule)
            errors = [
                float((shipped.denoiser(noised, t, label) - noise).square().mean()) for label in (digits.labels, None)
            ]
            assert errors[0] < errors[1] < largest_error
            right = shipped.classifier(noised, t).argmax(dim=1) == digits.labels
            assert right.double().mean() > accuracy


def test_missing_weights_folder(tmp_path):
    with pytest.raises(UsageError, match=r"weights folder .*nowhere does not exist"):
        DigitModels.from_pretrained(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"denoiser is no folder, expected one with config\.json"):
        DigitModels.from_pretrained(tmp_path)


def test_corrupted_weights_are_refused(tmp_path):
    folder = shutil.copytree(SHIPPED_WEIGHTS, tmp_path / "weights")
    weights = folder / "denoiser" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(content)
    with pytest.raises(OnePaperError, match=r"model\.safetensors is damaged"):
        DigitModels.from_pretrained(folder)


def test_networks_of_different_levels_are_refused(tmp_path):
    Denoiser(SMALL).save_pretrained(tmp_path / "denoiser")
    other = ClassifierConfig(width=8, schedule=ScheduleConfig(num_levels=50))
    NoisyClassifier(other).save_pretrained(tmp_path / "classifier")
    with pytest.raises(UsageError, match="expected equal noise levels"):
        DigitModels.from_pretrained(tmp_path)
