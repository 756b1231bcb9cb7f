import sys
import types
from pathlib import Path

import pytest
import torch
from onepaper.errors import UsageError

from compose_diffusion.data.distributions import DISTRIBUTIONS
from compose_diffusion.sources.builtin import DigitsSource, ToySource
from compose_diffusion.sources.registry import EXACT, open_source, parse_paths

CPU = torch.device("cpu")


def test_every_exact_name_can_stand_in_an_expression():
    assert set(EXACT.values()) == set(DISTRIBUTIONS)
    assert all(name.isidentifier() for name in EXACT)
    source = open_source("left_bar", {}, None, CPU)
    assert isinstance(source, ToySource)
    assert source.name == "left-bar"


def test_trained_names_take_the_weights_folder(tmp_path):
    assert isinstance(open_source("digits", {}, None, CPU), DigitsSource)
    with pytest.raises(UsageError, match="nowhere does not exist"):
        open_source("digits", {}, tmp_path / "nowhere", CPU)


def test_names_with_a_path_are_opened_from_there(monkeypatch):
    opened = []
    module = types.ModuleType("compose_diffusion.sources.pipelines")
    module.open_source = lambda path, device: opened.append((path, device)) or ToySource("ring", device)
    monkeypatch.setitem(sys.modules, "compose_diffusion.sources.pipelines", module)
    open_source("mine", parse_paths(["mine=some/folder"]), None, CPU)
    assert opened == [(Path("some/folder"), CPU)]


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(UsageError, match="unknown model 'rng': did you mean 'ring'"):
        open_source("rng", {}, None, CPU)
    with pytest.raises(UsageError, match="unknown model 'minee': did you mean 'mine'.*--leaf minee=PATH"):
        open_source("minee", {"mine": Path()}, None, CPU)


def test_paths_by_name():
    assert parse_paths(["a=x", "b=y=z"]) == {"a": Path("x"), "b": Path("y=z")}


@pytest.mark.parametrize(
    ("given", "reported"),
    [
        (["folder"], "--leaf folder is not NAME=PATH"),
        (["a="], "--leaf a= is not NAME=PATH"),
        (["a-b=x"], "--leaf a-b=x is not NAME=PATH"),
        (["ring & bar"], "is not NAME=PATH"),
        (["a=x", "a=y"], "'a' was given twice"),
        (["digits=x"], "'digits' is built in"),
        (["ring=x"], "'ring' is built in; choose another name"),
    ],
)
def test_wrong_paths_give_one_line(given, reported):
    with pytest.raises(UsageError) as caught:
        parse_paths(given)
    assert reported in str(caught.value)
    assert "\n" not in str(caught.value)
