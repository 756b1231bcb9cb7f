"""Presets survive JSON, fields without a source exist, and aliases name presets."""

import subprocess
import sys

from onepaper.testing import check_presets

from compose_diffusion.config.digits import DigitsConfig
from compose_diffusion.paper import PAPER
from compose_diffusion.presets import ALIASES, PRESETS


def test_presets():
    check_presets(PAPER)


def test_aliases_lead_to_presets():
    assert PRESETS[ALIASES["laptop"]].config == DigitsConfig()


def test_configuration_loads_no_framework():
    code = "import sys, compose_diffusion.presets; assert not {'torch', 'jax', 'sklearn'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)
