"""Papers are found by entry point; presets, verbs and run folders by name."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from onepaper.config import identity
from onepaper.errors import UsageError
from onepaper.optimizer import OptimizerOptions
from onepaper.paper import Invocation, RunOptions, TrainOptions, Verb, load_paper
from onepaper.training import LoopOptions


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
def test_sources_anywhere_have_a_project_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "any-name" / "src" / "paper_elsewhere"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(package.parent))
    paper = replace(load_paper("fake-paper"), module="paper_elsewhere")
    assert paper.project_folder() is None
    (tmp_path / "any-name" / "pyproject.toml").touch()
    assert paper.project_folder() == tmp_path / "any-name"
    assert paper.results_folder() is None


@pytest.mark.usefixtures("paper")
def test_a_folder_for_each_request_without_a_preset() -> None:
    plain = Verb("sample", "", "m:f", RunOptions)
    found = set()
    for seed in (0, 1, 0):
        call = Invocation(load_paper("fake-paper"), plain, None, RunOptions(seed=seed))
        with call.open_run() as run:
            found.add(run.folder)
    assert len(found) == 2


@pytest.mark.usefixtures("paper")
def test_a_folder_for_each_choice_of_options() -> None:
    paper = load_paper("fake-paper")
    verb = paper.verb("sample")
    config = paper.preset("smoke").config

    def folder(options: Any, preset: str | None = "smoke", config: Any = config) -> str:
        with Invocation(paper, verb, config, options, preset).open_run() as run:
            return run.folder.name

    assert folder(verb.options()) == "sample-smoke"
    assert folder(verb.options(threads=1, device="cpu")) == "sample-smoke"
    assert folder(verb.options(seed=3)) == "sample-smoke-seed3"
    fewer = folder(verb.options(count=2))
    assert fewer.startswith("sample-smoke-")
    assert fewer != folder(verb.options(count=3))
    assert folder(verb.options(), None) != folder(verb.options(), None, paper.preset("laptop").config)


@dataclass(frozen=True)
class Trained:
    loop: LoopOptions = LoopOptions(steps=10)
    optimizer: OptimizerOptions = OptimizerOptions()


@pytest.mark.usefixtures("paper")
def test_a_training_goes_on_to_another_length(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paper = load_paper("fake-paper")

    def open_again(steps: int, resume: Any = "auto", schedule: Any = "constant", name: str = "run") -> None:
        config = Trained(LoopOptions(steps, resume=resume), OptimizerOptions(schedule=schedule))
        with Invocation(paper, paper.verb("train"), config, RunOptions(output=tmp_path / name), "x").open_run() as run:
            (run.folder / f"checkpoints/step_{min(steps, 20)}").mkdir(parents=True, exist_ok=True)

    open_again(10)
    open_again(10, "restart")
    assert capsys.readouterr().out == ""
    open_again(20)
    assert capsys.readouterr().out == f"{tmp_path / 'run'}: loop.steps was 10 and is 20\n"
    with pytest.raises(UsageError, match="loop.steps is 15, but .* has trained 20 steps"):
        open_again(15)
    open_again(15, "restart")
    open_again(10, schedule="cosine", name="cosine")
    capsys.readouterr()
    open_again(20, schedule="cosine", name="cosine")
    assert "the cosine learning rate is that of the new length" in capsys.readouterr().out


@pytest.mark.parametrize("seed", [-1, 2**32, 10**400])
def test_seeds_that_frameworks_do_not_take(seed: int) -> None:
    with pytest.raises(UsageError, match="seed is .*, expected a number from 0"):
        RunOptions(seed=seed)


def test_a_training_may_continue_with_another_export(tmp_path: Path) -> None:
    assert identity(TrainOptions(export=tmp_path)) == identity(TrainOptions())
