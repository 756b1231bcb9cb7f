import json

import pytest
import torch
from onepaper.errors import UsageError
from onepaper.paper import Invocation

from compose_diffusion.cli.options import TuneOptions
from compose_diffusion.cli.tune import tune_verb
from compose_diffusion.paper import PAPER

FEW = {"num_levels": 5, "count": 20, "device": "cpu"}


def call(options):
    return tune_verb(Invocation(PAPER, PAPER.verb("tune"), None, options))


def test_a_line_for_each_step_size_and_the_one_to_take(tmp_path, capsys):
    assert call(TuneOptions(expression="ring & bar", factors=(0.5, 1.0, 100.0), output=tmp_path, **FEW)) == 0
    reported = capsys.readouterr().out
    assert [line.split()[0] for line in reported.splitlines()[2:5]] == ["0.015", "0.03", "3"]
    assert "largest distance per evaluation: --step-scale 0.03\n" in reported
    rows = json.loads((tmp_path / "steps.json").read_text())["rows"]
    assert [row["step_scale"] for row in rows] == [0.015, 0.03, 3.0]
    assert rows[0]["acceptance"][0] > 0.9 > rows[2]["acceptance"][0]
    assert rows[0]["acceptance"][4] is None  # the run steps down from the top first
    assert (tmp_path / "steps.png").stat().st_size > 5000


def test_the_edge_and_unadjusted_kernels_are_reported(tmp_path, capsys):
    call(TuneOptions(expression="ring", factors=(0.1, 0.2), output=tmp_path / "a", **FEW))
    assert "it is the first or last that was tried" in capsys.readouterr().out
    call(TuneOptions(expression="ring", sampler="ula", factors=(1.0,), output=tmp_path / "b", **FEW))
    assert "ULA accepts every proposal" in capsys.readouterr().out


def test_dry_run(capsys):
    call(TuneOptions(expression="ring", dry_run=True, **FEW))
    assert "would try 6 step sizes on 20 samples of ring" in capsys.readouterr().out


def test_networks_are_compiled_where_asked(tmp_path, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module, **_: compiled.append(module))
    call(TuneOptions(expression="digits[3]", sampler="ula", compile=True, output=tmp_path, factors=(1.0,), **FEW))
    assert [type(module).__name__ for module in compiled] == ["Denoiser"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"factors": ()}, "--factors is empty"),
        ({"factors": (0.0,)}, "factors is 0.0"),
        ({"expression": "digits[3]"}, "kernel 'hmc' needs log densities"),
    ],
)
def test_bad_requests(changes, message):
    with pytest.raises(UsageError, match=message):
        call(TuneOptions(**{"expression": "ring", **FEW, **changes}))
