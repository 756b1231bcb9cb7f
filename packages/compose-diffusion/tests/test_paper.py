"""The package starts light, and its verbs refuse nonsense in one line."""

import subprocess
import sys
from pathlib import Path

import pytest
from onepaper.cli import main
from onepaper.testing.doc_commands import commands

import compose_diffusion
from compose_diffusion.paper import PAPER


def run(*words):
    with pytest.raises(SystemExit) as leaving:
        main(["compose-diffusion", *words])
    return int(leaving.value.code or 0)


@pytest.mark.parametrize(
    "words", [["claims"], ["presets"], ["--help"], ["sample", "--help"], ["train", "--help"], ["gallery", "--help"]]
)
def test_light_start(words):
    code = (
        "import sys, compose_diffusion\nfrom onepaper.cli import main\n"
        f"try:\n    main(['compose-diffusion', *{words}])\nexcept SystemExit as leaving:\n    assert not leaving.code\n"
        "assert not {'torch', 'jax', 'sklearn', 'scipy', 'matplotlib'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_every_public_name_is_there():
    for name in compose_diffusion.__all__:
        assert getattr(compose_diffusion, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = compose_diffusion.nonsense


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
    assert run(*words) != 0
    err = capsys.readouterr().err
    assert err.startswith("onepaper: ")
    assert err.count("\n") == 1
    assert reported in err


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
    assert run("sample", expression) == 2
    message, shown, caret = capsys.readouterr().err.splitlines()
    assert message.startswith("onepaper: ")
    assert reported in message
    assert (shown, caret) == (f"  {expression}", f"  {' ' * place}^")


ROOT = Path(__file__).parents[3]
PAGES = [
    "README.md",
    "docs/index.md",
    "docs/gpu-checks.md",
    "docs/papers/compose-diffusion.md",
    "docs/tutorials/compose-diffusion.md",
    "docs/tutorials/compose-diffusion-diffusers.md",
    *(str(page.relative_to(ROOT)) for page in sorted((ROOT / "docs/guides/compose-diffusion").glob("*.md"))),
    "packages/compose-diffusion/README.md",
    "packages/compose-diffusion/DATA.md",
]


@pytest.mark.parametrize("page", PAGES)
def test_commands_on_the_pages_work(page, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in commands(ROOT / page, "compose-diffusion"):
        assert run(*words[1:]) == 0, (words, capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == [], "a dry run writes nothing"


def test_presets_have_a_cost(capsys):
    assert run("presets", "smoke", "--cost") == 0
    assert "cost of smoke: parameters of the denoiser " in capsys.readouterr().out


def test_every_preset_is_asked_for_its_cost(capsys, monkeypatch):
    """`test_costs` counts them; here each preset is printed with its own."""
    monkeypatch.setattr("compose_diffusion.cli.costs.cost_of", lambda config: {"networks of": str(hash(config))})
    assert run("presets", "--cost") == 0
    out = capsys.readouterr().out
    for name, preset in PAPER.presets.items():
        assert f"cost of {name}: networks of {hash(preset.config)}\n" in out


def test_no_public_name_is_that_of_a_module():
    """Importing such a module would replace the attribute of the package."""
    modules = {path.stem for path in Path(compose_diffusion.__file__).parent.iterdir()}
    assert modules.isdisjoint(compose_diffusion.__all__)
    from compose_diffusion import compiled

    assert callable(compiled)
    assert compose_diffusion.compiled is compiled
