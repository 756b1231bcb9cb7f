"""What the environments are built with: the machine's own settings first, and no CUDA where that can be avoided."""

import importlib.util
import os
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def loaded() -> types.ModuleType:
    """The noxfile as a module, once: a second time nox would take its sessions for duplicates."""
    spec = importlib.util.spec_from_file_location("noxfile_under_test", ROOT / "noxfile.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def noxfile(loaded: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    for name in list(os.environ):
        if name.startswith(("UV_", "PIP_")) or name == "SSL_CERT_FILE":
            monkeypatch.delenv(name)
    monkeypatch.setattr(loaded.platform, "system", lambda: "Linux")
    return loaded


class Session:
    """The part of a nox session that is used, with what it was asked to install."""

    def __init__(self, folder: Path) -> None:
        # No `create_tmp`: nox would set TMPDIR to a folder of this checkout for all that the session runs.
        self.cache_dir, self.logged, self.installed = folder, [], []

    def log(self, text: str) -> None:
        self.logged.append(text)

    def install(self, *words: str, env: dict[str, str]) -> None:
        self.installed.append((words, env))


def test_the_cpu_index_is_used_where_it_answers(noxfile, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(noxfile, "_answers", lambda address: True)
    session = Session(tmp_path)
    noxfile._install(session, "compose-diffusion")
    ((words, env),) = session.installed
    assert words == ("-e", "./shared[torch]", "-e", "./packages/compose-diffusion")
    assert env == {"UV_TORCH_BACKEND": "auto"}


def test_an_index_that_does_not_answer_is_reported(noxfile, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(noxfile, "_answers", lambda address: False)
    session = Session(tmp_path)
    assert noxfile._torch_arrangement(session) == {}
    assert "CUDA" in session.logged[0]


def test_the_probe_gives_up_quietly(noxfile) -> None:
    assert noxfile._answers("http://127.0.0.1:9/") is False


@pytest.mark.parametrize("name", ["UV_TORCH_BACKEND", "UV_CONSTRAINT", "UV_DEFAULT_INDEX", "UV_INDEX"])
def test_what_the_environment_says_is_left_alone(noxfile, tmp_path, monkeypatch, name) -> None:
    monkeypatch.setenv(name, "something")
    monkeypatch.setattr(noxfile, "_answers", lambda address: pytest.fail("probed all the same"))
    assert noxfile._torch_arrangement(Session(tmp_path)) == {}


def test_a_local_wheel_of_torch_is_taken(noxfile, tmp_path, monkeypatch) -> None:
    (tmp_path / "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl").touch()
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    noxfile._prepare_environment()
    assert os.environ["UV_FIND_LINKS"] == str(tmp_path)
    arranged = noxfile._torch_arrangement(Session(tmp_path))
    assert Path(arranged["UV_CONSTRAINT"]).read_text() == "torch==2.13.0+cpu\n"


def test_pips_settings_are_handed_on(noxfile, monkeypatch) -> None:
    settings = {
        "PIP_FIND_LINKS": ("a b", "UV_FIND_LINKS", "a,b"),
        "PIP_CONSTRAINT": ("c.txt", "UV_CONSTRAINT", "c.txt"),
        "PIP_INDEX_URL": ("https://one.example/simple", "UV_DEFAULT_INDEX", "https://one.example/simple"),
        "PIP_EXTRA_INDEX_URL": ("https://two.example/simple", "UV_INDEX", "https://two.example/simple"),
        "PIP_CERT": ("ca.pem", "SSL_CERT_FILE", "ca.pem"),
    }
    for name, (value, _, _) in settings.items():
        monkeypatch.setenv(name, value)
    for _, theirs, _ in settings.values():
        monkeypatch.setenv(theirs, "")
        monkeypatch.delenv(theirs)
    noxfile._prepare_environment()
    assert {theirs: os.environ[theirs] for _, theirs, _ in settings.values()} == {
        theirs: expected for _, theirs, expected in settings.values()
    }


def test_a_package_without_torch_is_not_arranged_for(noxfile, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(noxfile, "_frameworks", lambda package: {"jax"})
    monkeypatch.setattr(noxfile, "_answers", lambda address: pytest.fail("probed for torch"))
    session = Session(tmp_path)
    noxfile._install(session, "cdcd", "test")
    assert session.installed == [(("-e", "./shared[jax]", "-e", "./packages/cdcd[test]"), {})]


def test_leading_names_select_packages(noxfile, monkeypatch) -> None:
    monkeypatch.setattr(
        noxfile.sys, "argv", ["nox", "-s", "tests", "--", "shared", "compose-diffusion", "-k", "shared"]
    )
    assert noxfile._arguments() == (["shared", "compose-diffusion"], ["-k", "shared"])
    monkeypatch.setattr(noxfile.sys, "argv", ["nox", "-s", "tests"])
    assert noxfile._arguments() == ([], [])


def test_the_framework_of_every_paper_is_found(noxfile) -> None:
    for name in noxfile.PAPERS:
        said = (ROOT / "packages" / name / "src" / name.replace("-", "_") / "paper.py").read_text()
        assert [f'framework="{framework}"' in said for framework in noxfile._frameworks(name)] == [True], name


def test_packages_of_one_framework_share_an_environment(noxfile, monkeypatch) -> None:
    frameworks = {"shared": {"torch", "jax"}, "compose-diffusion": {"torch"}, "cdcd": {"jax"}, "plain-paper": set()}
    monkeypatch.setattr(noxfile, "_frameworks", frameworks.__getitem__)
    assert [noxfile._environment(package) for package in frameworks] == ["shared", "torch", "jax", "plain"]
