import subprocess
import sys

import perceiver_ar


def test_every_public_name_is_there() -> None:
    for name in perceiver_ar.__all__:
        assert getattr(perceiver_ar, name) is not None


def test_presets_load_no_framework() -> None:
    code = "import sys, perceiver_ar; perceiver_ar.PRESETS; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
