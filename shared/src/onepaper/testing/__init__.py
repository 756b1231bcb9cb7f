"""Checks that the tests of every paper package share. Plain functions with assertions; pytest is not required.

PAGES = documentation_pages("my-paper")

@pytest.mark.parametrize("page", PAGES)
def test_commands_of_the_pages(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_commands(page, "my-paper")
"""

import importlib.metadata
import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from types import ModuleType

from onepaper.claims.results import assert_rules_match
from onepaper.claims.tables import render_file
from onepaper.cli import main
from onepaper.cli.common_verbs import verbs_of
from onepaper.config import from_dict, to_dict
from onepaper.paper import Paper, load_paper
from onepaper.testing.doc_commands import commands

FRAMEWORKS = ("torch", "jax", "flax", "scipy", "matplotlib")


def compile_quickly() -> None:
    """Set flags of XLA for tests, which compile for far longer than they compute; call it before JAX is imported.

    Backend optimisation is off. Before jaxlib 0.11 the older emitters take half the time; XLA ends the process at an
    unknown flag, so that one is set only for these versions.
    """
    flags = ["--xla_backend_optimization_level=0"]
    version = importlib.metadata.version("jaxlib").split(".")
    if tuple(map(int, version[:2])) < (0, 11):
        flags.append("--xla_cpu_use_fusion_emitters=false")
    before = os.environ.get("XLA_FLAGS", "").split()
    os.environ["XLA_FLAGS"] = " ".join([*before, *(flag for flag in flags if flag not in before)])


def run_verb(paper: str, *words: str) -> int:
    """The exit status of `onepaper PAPER WORDS`, run in this process."""
    try:
        main([paper, *words])
    except SystemExit as leaving:
        return int(leaving.code or 0)
    raise AssertionError("the command line returned without an exit status")


def documentation_pages(paper: str) -> list[Path]:
    """The paper's pages in the checkout, and those of all papers that have commands of it; none for an installed copy.

    Its own are README and DATA.md, page, tutorials and guides; a package that stands alone has them in `docs`.
    """
    folder = load_paper(paper).project_folder()
    if folder is None:
        return []
    pages = [folder / "README.md", folder / "DATA.md", *sorted((folder / "docs").glob("*.md"))]
    if docs := _site(folder):
        pages += [docs / "papers" / f"{paper}.md", *sorted((docs / "tutorials").glob(f"{paper}*.md"))]
        pages += sorted((docs / "guides" / paper).glob("*.md"))
        general = [docs.parent / "README.md", *sorted(docs.glob("*.md"))]
        pages += [page for page in general if commands(page, paper)]
    return [page for page in pages if page.is_file()]


def _site(folder: Path) -> Path | None:
    """The pages of all papers, for a package below `packages/` of the repository."""
    return folder.parent.parent / "docs" if folder.parent.name == "packages" else None


def check_commands(page: Path, paper: str) -> None:
    """Every `onepaper PAPER ...` line in the shell blocks of a page works; verbs that have --dry-run run with it."""
    verbs = verbs_of(load_paper(paper))
    for words in commands(page, paper):
        verb = verbs.get(words[1]) if len(words) > 1 else None
        if verb and hasattr(verb.options, "dry_run") and not {"--dry-run", "--help"} & set(words):
            words = [*words, "--dry-run"]
        status = run_verb(*words)
        assert status == 0, f"{page}: `onepaper {' '.join(words)}` exits {status}"


def check_light_start(paper: str, *words: str, heavy: Sequence[str] = FRAMEWORKS) -> None:
    """`onepaper PAPER WORDS` succeeds, in a process of its own, without importing a package of `heavy`."""
    code = (
        "import sys\nfrom onepaper.cli import main\n"
        f"try:\n    main({[paper, *words]!r})\nexcept SystemExit as leaving:\n    assert not leaving.code\n"
        f"loaded = {set(heavy)!r} & set(sys.modules)\nassert not loaded, f'imports {{sorted(loaded)}}'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"`onepaper {paper} {' '.join(words)}`: {done.stderr[-2000:]}"


def check_public_names(package: ModuleType) -> None:
    """Every name of `package.__all__` exists, and another name raises `AttributeError`."""
    for name in package.__all__:
        assert getattr(package, name, None) is not None, f"{package.__name__} does not export {name}"
    assert not hasattr(package, "no_such_name")


def check_presets(paper: Paper) -> None:
    """Configurations survive JSON, fields without a source are fields, and aliases name presets."""
    for name, preset in paper.presets.items():
        assert from_dict(type(preset.config), json.loads(json.dumps(to_dict(preset.config)))) == preset.config, name
        for path in preset.unsure:
            reduce(getattr, path.split("."), preset.config)
    assert set(paper.aliases.values()) <= set(paper.presets)


def check_one_line_error(err: str, expected: str) -> None:
    """What a failed command wrote to stderr is one line with `expected` in it."""
    assert err.startswith("onepaper: "), err
    assert err.count("\n") == 1, err
    assert expected in err, f"{expected!r} is not in {err!r}"


def check_ledger(paper: Paper) -> None:
    """Recorded verdicts follow the present rules, and README and docs page show the recorded results."""
    assert_rules_match(paper)
    folder = paper.project_folder()
    assert folder is not None, f"{paper.name} is not run from a checkout"
    docs = _site(folder)
    for page in (folder / "README.md", *([docs / "papers" / f"{paper.name}.md"] if docs else [])):
        render_file(page, paper, check=True)


def free_port() -> int:
    """A TCP port of this machine that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def run_processes(
    script: Path, words: Sequence[str], processes: int, devices: int = 1, *, timeout: float = 300
) -> list[int]:
    """Run a Python script in several processes of one cluster on the CPU; their exit statuses. Their stderr is printed.

    The environment has the variables from which JAX (`JAX_COORDINATOR_ADDRESS`, ...) and torch (`RANK`, ...) join it.

    Args:
        script: its path.
        words: its arguments, the same for every process.
        processes: number of processes; one runs without a cluster.
        devices: virtual CPU devices of each process, for JAX.
        timeout: seconds for each process.
    """
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}".strip()
    environment: dict[str, str] = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    if processes > 1:
        port = str(free_port())
        environment |= {"JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{port}", "JAX_NUM_PROCESSES": str(processes)}
        environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(processes)}
    members: list[subprocess.Popen[str]] = []
    for rank in range(processes):
        own = {"JAX_PROCESS_ID": str(rank), "RANK": str(rank), "LOCAL_RANK": str(rank)} if processes > 1 else {}
        command = [sys.executable, str(script), *words]
        members.append(subprocess.Popen(command, env=environment | own, stderr=subprocess.PIPE, text=True))
    try:
        for member in members:
            print(member.communicate(timeout=timeout)[1][-3000:], file=sys.stderr)
    finally:
        for member in members:
            member.kill()
    return [member.returncode for member in members]
