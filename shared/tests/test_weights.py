"""Weights are found by path, by run folder and by shipped name, in this order."""

import sys
from pathlib import Path

import pytest

from onepaper.errors import OnePaperError, UsageError
from onepaper.weights import find_weights, shipped_weights


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site" / "package_with_weights"
    for name in ("digits", "splice"):
        (folder / "assets" / "weights" / name).mkdir(parents=True)
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.chdir(tmp_path)
    yield folder / "assets" / "weights"
    sys.modules.pop("package_with_weights", None)


def test_order_of_the_search(package: Path, tmp_path: Path) -> None:
    assert shipped_weights("package_with_weights") == {name: package / name for name in ("digits", "splice")}
    assert find_weights("splice", "package_with_weights") == package / "splice"
    (tmp_path / "run" / "pretrained").mkdir(parents=True)
    assert find_weights(tmp_path / "run", "package_with_weights") == tmp_path / "run" / "pretrained"
    (tmp_path / "run" / "config.json").touch()  # weights that hold a folder of this name
    assert find_weights("run", "package_with_weights") == Path("run")
    (tmp_path / "splice").mkdir()
    assert find_weights("splice", "package_with_weights") == Path("splice"), "the user's folder comes first"


@pytest.mark.usefixtures("package")
def test_unknown_names() -> None:
    with pytest.raises(UsageError, match="unknown weights 'splic': did you mean 'splice'"):
        find_weights("splic", "package_with_weights")
    with pytest.raises(OnePaperError, match="is not installed"):
        shipped_weights("no_such_package")
