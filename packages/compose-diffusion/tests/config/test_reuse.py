import pytest
from onepaper.errors import UsageError

from compose_diffusion.config.reuse import AttributeConfig, CompositionConfig, ReuseConfig, UNetConfig
from compose_diffusion.config.samplers import SamplerOptions


def test_the_two_models_differ_in_what_they_see_and_say():
    config = ReuseConfig()
    assert config.shape.digits == (3, 5, 8)
    assert config.shape.prediction_type != config.thick.prediction_type
    assert config.shape.beta_schedule != config.thick.beta_schedule


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: UNetConfig(widths=()), "widths is empty"),
        (lambda: UNetConfig(widths=(24, 30)), "widths has 30, expected multiples of group_count, 8"),
        (lambda: AttributeConfig(digits=()), "digits are .*, expected at least one, each once"),
        (lambda: AttributeConfig(digits=(3, 3)), "digits are .*, expected at least one, each once"),
        (lambda: AttributeConfig(digits=(12,)), "digit 12 does not exist"),
        (lambda: AttributeConfig(num_train_timesteps=0), "num_train_timesteps"),
        (lambda: CompositionConfig(num_images=0), "num_images"),
        (lambda: CompositionConfig(mcmc=SamplerOptions()), "mcmc.method is 'annealed', expected 'reverse-mcmc'"),
    ],
)
def test_bad_values(make, message):
    with pytest.raises(UsageError, match=message):
        make()
