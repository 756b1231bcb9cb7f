"""A folder of networks is measured by the names of its tasks."""

from dataclasses import replace

import pytest
from onepaper.errors import UsageError

from compose_diffusion.config.networks import ScheduleConfig
from compose_diffusion.config.toy import SUITE_COMPONENTS, ToyLearnedConfig, ToyNetworkConfig
from compose_diffusion.evaluation.learned_toy import denoising_errors, network_leaf
from compose_diffusion.evaluation.trained_toy import evaluate_folder, tasks_of
from compose_diffusion.models.toy import make_network

CONFIG = ToyLearnedConfig(
    network=ToyNetworkConfig(width=8, num_blocks=1, time_dim=4, schedule=ScheduleConfig(num_levels=6)),
    components=("ring", "bar"),
)


def test_tasks_are_those_whose_terms_are_there():
    assert tasks_of(CONFIG) == ["product"]
    everything = ToyLearnedConfig()
    assert tasks_of(everything) == ["product", "mixture", "negation"]
    scores = replace(everything, network=replace(everything.network, form="score"))
    assert tasks_of(scores) == ["product", "negation"]
    assert len(tasks_of(replace(everything, components=SUITE_COMPONENTS))) == 9


def test_networks_and_tasks_are_measured(tmp_path):
    networks = {name: make_network(CONFIG.network) for name in CONFIG.components}
    for name, network in networks.items():
        network.save_pretrained(tmp_path / name)
    quality, drawn = evaluate_folder(tmp_path, CONFIG, 3, rows=("reverse", "ula"), num_samples=20)
    assert quality["exact/ring loss"] < quality["trained/ring loss"]
    assert quality["exact/bar ELBO"] > quality["trained/bar ELBO"]
    from compose_diffusion.data.distributions import ring
    from compose_diffusion.diffusion import cosine_schedule

    schedule = cosine_schedule(6)
    again = denoising_errors(network_leaf(networks["ring"], schedule), ring(), schedule, seed=3)
    assert quality["trained/ring loss"] == pytest.approx(again.loss)
    assert {name for name in drawn if name.endswith("accuracy")} == {
        "reverse/product accuracy",
        "ula/product accuracy",
    }
    assert drawn["ula/product gradient evaluations"] == 6 * 11


def test_other_levels_and_missing_networks_are_refused(tmp_path):
    with pytest.raises(UsageError, match="is no folder, expected one with config.json"):
        evaluate_folder(tmp_path, CONFIG, 0)
    for name in CONFIG.components:
        make_network(replace(CONFIG.network, schedule=ScheduleConfig(num_levels=7))).save_pretrained(tmp_path / name)
    with pytest.raises(UsageError, match="evaluate with the preset it was trained with"):
        evaluate_folder(tmp_path, CONFIG, 0)
