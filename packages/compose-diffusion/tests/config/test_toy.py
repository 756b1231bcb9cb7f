"""The rows of the toy are the samplers their names say; the training presets are the notebook's and a shorter one."""

import dataclasses

import pytest
from onepaper.config import from_dict, to_dict
from onepaper.errors import UsageError

from compose_diffusion.config.toy import (
    ROWS,
    SUITE_COMPONENTS,
    TOY_COMPONENTS,
    ToyExactConfig,
    ToyLearnedConfig,
    ToyNetworkConfig,
)
from compose_diffusion.presets import LAPTOP_OPTIMIZER, TOY_PRESETS


def test_the_papers_preset_pins_every_open_choice():
    config = TOY_PRESETS["paper-toy-exact"].config
    settings = {row: config.sampler(row) for row in ROWS}
    assert {row: (s.method, s.kernel) for row, s in settings.items() if row != "reverse"} == {
        "ula": ("annealed", "ula"),
        "mala": ("annealed", "mala"),
        "uhmc": ("annealed", "uhmc"),
        "hmc": ("annealed", "hmc"),
        "reverse-ula": ("reverse-mcmc", "ula"),
        "reverse-hmc": ("reverse-mcmc", "hmc"),
    }
    assert settings["reverse"].method == "reverse"
    for row, s in settings.items():
        langevin = row.endswith(("ula", "mala"))
        if row != "reverse":
            assert s.step_scale == (1e-3 if langevin else 0.03)
        assert (s.step_law, s.steps_per_level, s.last_level, s.reverse_variance) == ("constant", 10, 0, "posterior")
        assert (s.num_leapfrog, s.damping, s.mass, s.momentum) == (3, 0.5, 1.0, "kept")
    assert (config.num_levels, config.num_samples) == (100, 2000)


@pytest.mark.parametrize("name", TOY_PRESETS)
def test_presets_survive_json(name):
    config = TOY_PRESETS[name].config
    assert from_dict(type(config), to_dict(config)) == config


def test_the_papers_training():
    config = TOY_PRESETS["paper-toy"].config
    fit, optimizer = config.fit, config.fit.optimizer
    assert (fit.steps, fit.batch_size, optimizer.name, optimizer.lr) == (15_001, 1000, "adam", 1e-3)
    assert (optimizer.schedule, optimizer.ema_decay, optimizer.ema_warmup) == ("constant", 0.999, False)
    assert (config.network.form, config.network.width, config.network.schedule.num_levels) == ("dae", 128, 100)
    assert config.components == TOY_COMPONENTS
    suite = TOY_PRESETS["paper-suite"].config
    assert suite.components == SUITE_COMPONENTS
    assert (suite.network.schedule.kind, suite.network.schedule.num_levels) == ("linear", 50)
    assert TOY_PRESETS["laptop-toy"].config.fit.optimizer == LAPTOP_OPTIMIZER


def test_nonsense_is_refused():
    with pytest.raises(UsageError, match="did you mean 'mala'"):
        ToyExactConfig().sampler("mla")
    with pytest.raises(UsageError, match="num_samples is 0"):
        dataclasses.replace(ToyExactConfig(), num_samples=0)
    with pytest.raises(UsageError, match="unknown value 'sum'"):
        from_dict(ToyExactConfig, {"task": "sum"})


def test_trainings_that_make_no_sense_are_refused():
    with pytest.raises(UsageError, match="width is 0"):
        ToyNetworkConfig(width=0)
    with pytest.raises(UsageError, match=r"components are \['ring', 'ring'\], expected at least one, each once"):
        ToyLearnedConfig(components=("ring", "ring"))
    with pytest.raises(UsageError, match="did you mean 'left-bar'"):
        ToyLearnedConfig(components=("left-bra",))
    with pytest.raises(UsageError, match="objective is 'distill' with form 'score'"):
        ToyLearnedConfig(network=ToyNetworkConfig(form="score"), objective="distill")
