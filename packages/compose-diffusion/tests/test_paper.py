"""The package starts light, and its verbs refuse nonsense in one line."""

import subprocess
import sys
from pathlib import Path

import pytest
from onepaper.cli import main
from onepaper.pages import commands

import compose_diffusion
from compose_diffusion.paper import PAPER


def run(*words):
    with pytest.raises(SystemExit) as leaving:
        main(["compose-diffusion", *words])
    return int(leaving.value.code or 0)


@pytest.mark.parametrize("words", [["claims"], ["presets"], ["--help"], ["sample", "--help"], ["train", "--help"]])
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
    ("words", "told"),
    [
        (["sample", "--all-of", "12"], "12"),
        (["sample", "--count", "0"], "count"),
        (["evaluate", "--preset", "laptop-digits"], "laptop-toy-exact"),
        (["evaluate", "--preset", "laptop-toy-exact", "--num-samples", "-1"], "num_samples is -1"),
        (["train", "--denoiser-fit.steps", "0"], "steps is 0"),
        (["sample", "--weights", "nowhere"], "nowhere"),
    ],
)
def test_nonsense_is_one_line(capsys, tmp_path, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    assert run(*words) != 0
    err = capsys.readouterr().err
    assert err.startswith("onepaper: ")
    assert err.count("\n") == 1
    assert told in err


ROOT = Path(__file__).parents[3]
PAGES = [
    "README.md",
    "docs/index.md",
    "docs/gpu-checks.md",
    "docs/papers/compose-diffusion.md",
    "docs/tutorials/compose-diffusion.md",
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
    assert run("presets", "--cost") == 0
    out = capsys.readouterr().out
    for name in PAPER.presets:
        assert f"cost of {name}: " in out
