"""The package starts light, its pages' commands work, and its verbs report a mistake in one line."""

from pathlib import Path

import pytest
from onepaper.cli.completion import candidates
from onepaper.testing import (
    check_commands,
    check_light_start,
    check_one_line_error,
    check_public_names,
    documentation_pages,
    run_verb,
)

import compose_diffusion
from compose_diffusion.paper import PAPER

NAME = "compose-diffusion"
HEAVY = ("torch", "jax", "sklearn", "scipy", "matplotlib")


@pytest.mark.parametrize("words", ["claims", "presets", "--help", "sample --help", "train --help", "gallery --help"])
def test_light_start(words):
    check_light_start(NAME, *words.split(), heavy=HEAVY)


def test_every_public_name_is_there():
    check_public_names(compose_diffusion)


def test_no_public_name_is_that_of_a_module():
    """Importing such a module would replace the attribute of the package."""
    modules = {path.stem for path in Path(compose_diffusion.__file__).parent.iterdir()}
    assert modules.isdisjoint(compose_diffusion.__all__)


@pytest.mark.parametrize(
    ("words", "reported"),
    [
        (["sample", "--all-of", "12"], "12"),
        (["sample", "--count", "0"], "count"),
        (["evaluate", "--preset", "laptop-digits"], "laptop-toy-exact"),
        (["evaluate", "--preset", "laptop-toy-exact", "--num-samples", "-1"], "num_samples is -1"),
        (["train", "--denoiser-fit.steps", "0"], "steps is 0"),
        (["sample", "--weights", "nowhere"], "nowhere"),
        (["sample", "ring", "--step-scale", "-1"], "step_scale is -1.0"),
        (["sample", "ring", "--all-of", "3"], "--all-of was given with the expression 'ring'"),
        (["sample", "mine", "--leaf", "mine"], "is not NAME=PATH"),
        (["sample", "ring", "--first-level", "200"], "first_level is 200"),
        (["gallery", "--only", "toy-nor"], "did you mean 'toy-or'"),
    ],
)
def test_nonsense_is_one_line(capsys, tmp_path, monkeypatch, words, reported):
    monkeypatch.chdir(tmp_path)
    assert run_verb(NAME, *words) != 0
    check_one_line_error(capsys.readouterr().err, reported)


@pytest.mark.parametrize(
    ("expression", "place", "reported"),
    [
        ("digits[3] & & digits[5]", 12, "'&' after '&', expected a model's name or '('"),
        ("digits[3] | digits[5]", 10, "which has only a score"),
        ("(ring & bar", 0, "'(' is never closed"),
        ("ring & digits", 7, "samples of shape [1, 8, 8]"),
        ("ring & rng", 7, "did you mean 'ring'"),
        ("3", 0, "3 alone is not a density, expected 3*NAME"),
    ],
)
def test_mistakes_in_expressions_are_shown_with_a_caret(capsys, tmp_path, monkeypatch, expression, place, reported):
    monkeypatch.chdir(tmp_path)
    assert run_verb(NAME, "sample", expression) == 2
    message, shown, caret = capsys.readouterr().err.splitlines()
    assert message.startswith("onepaper: ")
    assert reported in message
    assert (shown, caret) == (f"  {expression}", f"  {' ' * place}^")


DOCS = Path(__file__).parents[3] / "docs"
PAGES = [*documentation_pages(NAME), DOCS.parent / "README.md", DOCS / "index.md", DOCS / "gpu-checks.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: "/".join(page.parts[-2:]))
def test_commands_on_the_pages_work(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_commands(page, NAME)
    assert list(tmp_path.iterdir()) == [], "a dry run writes nothing"


def test_presets_have_a_cost(capsys):
    assert run_verb(NAME, "presets", "smoke", "--cost") == 0
    assert "cost of smoke: parameters of the denoiser " in capsys.readouterr().out


def test_every_preset_is_asked_for_its_cost(capsys, monkeypatch):
    """`test_costs` counts them; here each preset is printed with its own."""
    monkeypatch.setattr("compose_diffusion.cli.costs.cost_of", lambda config: {"networks of": str(hash(config))})
    assert run_verb(NAME, "presets", "--cost") == 0
    out = capsys.readouterr().out
    for name, preset in PAPER.presets.items():
        assert f"cost of {name}: networks of {hash(preset.config)}\n" in out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("export ", "positions"),
        ("train --preset ", "laptop"),
    ],
)
def test_completion_of_values(words: str, expected: str) -> None:
    assert expected in candidates(["compose-diffusion", *words.split(" ")])
