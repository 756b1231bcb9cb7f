import dataclasses

import pytest
from onepaper.errors import UsageError

from compose_diffusion.config.digits import ClassifierConfig, DenoiserConfig, DigitsConfig, GuidanceConfig, check_digit
from compose_diffusion.config.networks import ScheduleConfig
from compose_diffusion.config.samplers import SamplerOptions


@pytest.mark.parametrize(
    ("make", "reported"),
    [
        (lambda: DenoiserConfig(width=0), "width is 0"),
        (lambda: DenoiserConfig(width=12), "multiple of 8"),
        (lambda: DenoiserConfig(multipliers=()), "multipliers is empty"),
        (lambda: ClassifierConfig(dropout=1.5), "dropout is 1.5"),
        (lambda: DigitsConfig(label_dropout=2.0), "label_dropout is 2.0"),
        (lambda: DigitsConfig(denoiser=DenoiserConfig(num_classes=3)), "denoiser has 3 classes"),
        (
            lambda: DigitsConfig(classifier=ClassifierConfig(schedule=ScheduleConfig(num_levels=50))),
            "expected equal ones",
        ),
        (lambda: GuidanceConfig(scale=-1.0), "scale is -1.0"),
        (lambda: GuidanceConfig(num_images=0), "num_images is 0"),
        (lambda: GuidanceConfig(mcmc=SamplerOptions(method="annealed")), "'reverse-mcmc'"),
    ],
)
def test_wrong_values_give_one_line(make, reported):
    with pytest.raises(UsageError) as caught:
        make()
    assert reported in str(caught.value)
    assert "\n" not in str(caught.value)


def test_configurations_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        DigitsConfig().label_dropout = 0.5  # type: ignore[misc]


def test_digits():
    for digit in range(10):
        check_digit(digit)
    for digit in (-1, 10):
        with pytest.raises(UsageError, match=f"digit {digit} does not exist, expected a number from 0 to 9"):
            check_digit(digit)
