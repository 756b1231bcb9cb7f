"""The verbs of every paper: presets with their configuration and cost, claims."""

import pytest

from onepaper.cli.common_verbs import COMMON_VERBS, verbs_of
from onepaper.paper import load_paper, resolve

from .conftest import Command


@pytest.mark.usefixtures("paper")
def test_presets(command: Command) -> None:
    status, out, _ = command("fake-paper", "presets", "--cost")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()[:3]] == ["laptop-small", "smoke", "paper-wide"]
    assert out.count("parameters 12") == 3
    assert command("fake-paper", "presets", "smok")[0] == 2


@pytest.mark.usefixtures("paper")
def test_own_verbs_come_first_and_all_resolve() -> None:
    expected = ["train", "sample", "serve", "reproduce", "claims", "presets", "export"]
    assert list(verbs_of(load_paper("fake-paper"))) == expected
    for verb in COMMON_VERBS:
        assert callable(resolve(verb.run))
