from compose_diffusion.config.reuse import AttributeConfig, UNetConfig
from compose_diffusion.models.pipelines import make_network, make_scheduler


def test_the_network_has_at_most_a_quarter_of_a_million_parameters():
    assert sum(weight.numel() for weight in make_network(UNetConfig()).parameters()) < 250_000


def test_the_scheduler_is_that_of_the_configuration():
    config = AttributeConfig(prediction_type="v_prediction", beta_schedule="squaredcos_cap_v2", num_train_timesteps=50)
    scheduler = make_scheduler(config)
    assert (scheduler.config.prediction_type, len(scheduler.betas)) == ("v_prediction", 50)
