from dataclasses import replace

from compose_diffusion.network_options import FitConfig
from compose_diffusion.reuse.config import ReuseConfig
from compose_diffusion.reuse.costs import reuse_cost
from compose_diffusion.reuse.training import make_network


def test_both_networks_and_what_a_step_takes():
    config = ReuseConfig()
    found = reuse_cost(config)
    parameters = sum(weight.numel() for weight in make_network(config.shape.network).parameters())
    assert found["parameters of shape"] == f"{parameters:,}" == found["parameters of thick"]
    assert found["steps of thick"] == f"{config.thick.fit.steps:,}"
    halved = replace(config.shape, fit=FitConfig(10, config.shape.fit.batch_size // 2))
    name = "FLOPs of a training step of shape"
    assert abs(float(reuse_cost(replace(config, shape=halved))[name]) / float(found[name]) - 0.5) < 0.05
