"""Papers are found by entry point; presets, verbs and run folders by name."""

from pathlib import Path

import pytest

from onepaper.errors import UsageError
from onepaper.paper import Invocation, RunOptions, Verb, load_paper


@pytest.mark.usefixtures("paper")
def test_presets_and_verbs_by_name() -> None:
    paper = load_paper("fake-paper")
    assert paper.preset("laptop") is paper.presets["laptop-small"]
    assert paper.verb("train").accepts(paper.preset("smoke").config)
    assert not paper.verb("train").accepts(paper.preset("paper-wide").config)
    with pytest.raises(UsageError, match="did you mean 'smoke'"):
        paper.preset("smok")
    with pytest.raises(UsageError, match="did you mean 'train'"):
        paper.verb("trian")


def test_an_installed_copy_has_no_project_folder(paper: Path) -> None:
    assert load_paper("fake-paper").package_folder() == paper / "site" / "fake_paper_package"
    assert load_paper("fake-paper").project_folder() is None
    assert load_paper("fake-paper").results_folder() is None


@pytest.mark.usefixtures("paper")
def test_a_folder_for_each_request_without_a_preset() -> None:
    plain = Verb("sample", "", "m:f", RunOptions)
    found = set()
    for seed in (0, 1, 0):
        call = Invocation(load_paper("fake-paper"), plain, None, RunOptions(seed=seed))
        with call.open_run() as run:
            found.add(run.folder)
    assert len(found) == 2
