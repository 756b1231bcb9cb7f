import subprocess
import sys

import pytest
from onepaper.config import config_hash, from_dict, to_dict

from compose_diffusion.config.digits import DigitsConfig
from compose_diffusion.presets import ALIASES, PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name):
    config = PRESETS[name].config
    again = from_dict(type(config), to_dict(config))
    assert again == config
    assert config_hash(again) == config_hash(config)


def test_aliases_lead_to_presets():
    assert PRESETS[ALIASES["laptop"]].config == DigitsConfig()


def test_configuration_loads_no_framework():
    code = "import sys, compose_diffusion.presets; assert not {'torch', 'jax', 'sklearn'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)
