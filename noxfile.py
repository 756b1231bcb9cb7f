"""Every task of the repository: `nox -s SESSION -- [PACKAGE ...] [arguments]`.

Arguments in front that are package names (`shared`, or a folder of `packages/`) select packages, and only their
environments are made; the rest goes to pytest or to the verb. Needs nox and uv beside each other:

    python3 -m venv .venv && .venv/bin/pip install nox uv && .venv/bin/nox -s reproduce -- compose-diffusion
"""

import atexit
import json
import os
import platform
import re
import resource
import shutil
import sys
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["tests"]

ROOT = Path(__file__).parent
PAPERS = sorted(folder.parent.name for folder in ROOT.glob("packages/*/pyproject.toml"))
PACKAGES = ["shared", *PAPERS]
TORCH_CPU_INDEX_PROBE = "https://download.pytorch.org/whl/cpu/"
RELEASE_RANGE = ">=0.1,<0.2"
WORKERS = max(1, min(os.cpu_count() or 1, 4))
# What the tests of one package may take, in seconds of processor time: 240 s on two slow cores. Time on the clock is
# printed too, but depends on what else the machine does. A slower machine is given more, by a fixed computation that
# takes REFERENCE_SECONDS on the machine for which the budget is set.
TEST_BUDGET = 480
REFERENCE_SECONDS = 0.27
# Drives the browser of this machine; brings none.
PLAYWRIGHT = "playwright>=1.50,<2"
IN_PARALLEL = ["-n", str(WORKERS), "--dist", "worksteal"]


def _arguments() -> tuple[list[str], list[str]]:
    """Package names in front of the arguments after `--`, and the rest."""
    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    count = next((i for i, word in enumerate(words) if word not in PACKAGES), len(words))
    return words[:count], words[count:]


NAMED, REST = _arguments()
CHOSEN = NAMED or PACKAGES
CHOSEN_PAPERS = [paper for paper in PAPERS if paper in CHOSEN]


def _frameworks(package: str) -> set[str]:
    """The extras of `onepaper` a package asks for (the shared package is tested with both)."""
    if package == "shared":
        return {"torch", "jax"}
    text = (ROOT / "packages" / package / "pyproject.toml").read_text(encoding="utf-8")
    extras = re.search(r"onepaper\[([\w,]+)\]", text)
    return {"torch", "jax"} & set(extras[1].split(",") if extras else ())


def _prepare_environment() -> None:
    """Respect what the machine brings, and spare a machine without a GPU the CUDA build of torch."""
    # Without bytecode every process recompiles torch, which takes longer than most of our tests.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # Sources named there would run in place of those that a session installs.
    os.environ.pop("PYTHONPATH", None)
    # A training step allocates hundreds of megabytes anew, which huge pages make faster (Linux only).
    os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")
    # uv reads none of pip's variables.
    for ours, theirs in (("UV_FIND_LINKS", "PIP_FIND_LINKS"), ("UV_CONSTRAINT", "PIP_CONSTRAINT")):
        if ours not in os.environ and os.environ.get(theirs):
            separator = "," if ours == "UV_FIND_LINKS" else " "
            os.environ[ours] = separator.join(os.environ[theirs].split())
    for ours, theirs in (("UV_DEFAULT_INDEX", "PIP_INDEX_URL"), ("UV_INDEX", "PIP_EXTRA_INDEX_URL")):
        if ours not in os.environ and os.environ.get(theirs):
            os.environ[ours] = os.environ[theirs]
    if "SSL_CERT_FILE" not in os.environ and os.environ.get("PIP_CERT"):
        os.environ["SSL_CERT_FILE"] = os.environ["PIP_CERT"]


def _torch_arrangement(session: nox.Session) -> dict[str, str]:
    """Environment variables that keep CUDA off a machine without a GPU, as far as that can be arranged."""
    if any(name in os.environ for name in ("UV_TORCH_BACKEND", "UV_CONSTRAINT", "UV_DEFAULT_INDEX", "UV_INDEX")):
        return {}
    if local := _local_torch_constraint(session):
        return local
    if platform.system() != "Linux":
        return {}
    if _answers(TORCH_CPU_INDEX_PROBE):
        return {"UV_TORCH_BACKEND": "auto"}
    session.log("the CPU index of torch does not answer: the build of the default index brings CUDA along")
    return {}


def _local_torch_constraint(session: nox.Session) -> dict[str, str]:
    """A constraint to the build of torch that was put into a local folder of wheels for this machine, if there is one;
    unconstrained, one of the index would win."""
    wheel = _local_torch_wheel()
    if wheel is None:
        return {}
    # Not in `create_tmp`, which would move the temporary folder of every program below into this checkout.
    session.cache_dir.mkdir(parents=True, exist_ok=True)
    constraint = session.cache_dir / "local-torch.txt"
    constraint.write_text(f"torch=={wheel.name.split('-')[1]}\n", encoding="utf-8")
    return {"UV_CONSTRAINT": str(constraint)}


def _local_torch_wheel() -> Path | None:
    places = [Path(place) for place in os.environ.get("UV_FIND_LINKS", "").split(",") if place]
    wheels = sorted(wheel for place in places if place.is_dir() for wheel in place.glob("torch-*.whl"))
    return wheels[-1] if wheels else None


def _answers(address: str) -> bool:
    request = urllib.request.Request(address, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=3):
            return True
    except (urllib.error.URLError, OSError):
        return False


def _install(session: nox.Session, package: str, extra: str = "") -> None:
    """Install one package in editable form; its `onepaper` comes from this checkout, editable too."""
    suffix = f"[{extra}]" if extra else ""
    frameworks = ",".join(sorted(_frameworks(package)))
    arranged = _torch_arrangement(session) if "torch" in _frameworks(package) else {}
    if package == "shared":
        targets = ["-e", f"./shared[{frameworks},{extra}]"]
    else:
        shared = f"./shared[{frameworks}]" if frameworks else "./shared"
        targets = ["-e", shared, "-e", f"./packages/{package}{suffix}"]
    session.install(*targets, env=arranged)


_prepare_environment()


@nox.session
@nox.parametrize("package", CHOSEN_PAPERS, ids=CHOSEN_PAPERS)
def reproduce(session: nox.Session, package: str) -> None:
    """Set up one paper and run its claims (quick tier unless --full or --retrain)."""
    _install(session, package)
    session.run("onepaper", package, "reproduce", *REST)
    report = ROOT / "runs" / package / "reproduce" / "report.html"
    if "--output" not in REST and report.is_file():
        # nox has its own last words; what the person came for shall stand below them.
        atexit.register(print, f"report: {report}", flush=True)


def _environment(package: str) -> str:
    """The environment that a package's tests run in: one for each framework, and one with both for `shared`."""
    return "shared" if package == "shared" else "-".join(sorted(_frameworks(package))) or "plain"


ENVIRONMENTS = sorted({_environment(package) for package in CHOSEN})


@nox.session
@nox.parametrize("environment", ENVIRONMENTS, ids=ENVIRONMENTS)
def tests(session: nox.Session, environment: str) -> None:
    """Run the tests of each package; those of one framework share an environment (`packaging` installs each alone)."""
    options = [*IN_PARALLEL, "--durations=15"]
    _run_tests(session, _sharing(environment), options, budget=TEST_BUDGET)


@nox.session
@nox.parametrize("environment", ENVIRONMENTS, ids=ENVIRONMENTS)
def slow(session: nox.Session, environment: str) -> None:
    """Run the tests that are marked slow: long comparisons, kill tests, long fuzzing."""
    _run_tests(session, _sharing(environment), ["-m", "slow", "--durations=15"])


@nox.session
@nox.parametrize("environment", ENVIRONMENTS, ids=ENVIRONMENTS)
def coverage(session: nox.Session, environment: str) -> None:
    """Run the tests with shapes checked at run time (papers) and lines counted."""
    _run_tests(session, _sharing(environment), IN_PARALLEL, checked=True)


@nox.session
@nox.parametrize("package", CHOSEN, ids=CHOSEN)
def lowest(session: nox.Session, package: str) -> None:
    """Run the fast tests of each package, alone in its environment, with the lowest versions that it admits."""
    _run_tests(session, [package], IN_PARALLEL, lowest=True)


def _sharing(environment: str) -> list[str]:
    return [package for package in CHOSEN if _environment(package) == environment]


def _run_tests(
    session: nox.Session,
    packages: list[str],
    options: list[str],
    *,
    budget: float = 0,
    checked: bool = False,
    lowest: bool = False,
) -> None:
    arranged = _torch_arrangement(session) if "torch" in _frameworks(packages[0]) else {}
    if lowest and "torch" in _frameworks(packages[0]):
        # A constraint without the local part, such as `2.6` for `2.6+cpu`, would mean the build of the index, which is
        # the lower one of both.
        arranged |= _local_torch_constraint(session)
    frameworks = ",".join(sorted(_frameworks(packages[0])))
    folders = {package: "shared" if package == "shared" else f"packages/{package}" for package in packages}
    editable = [f"./shared[{','.join(filter(None, (frameworks, 'test')))}]"]
    editable += [f"./{folders[package]}[test]" for package in packages if package != "shared"]
    targets = [word for target in editable for word in ("-e", target)]
    session.install(*(("--resolution", "lowest-direct") if lowest else ()), *targets, env=arranged)
    failed = []
    for package in packages:
        folder, module = folders[package], "onepaper" if package == "shared" else package.replace("-", "_")
        words = REST or [f"{folder}/tests", *_documents(folder)]
        if checked:
            # The shared package has no arrays of a known shape to speak of.
            words = [*words, f"--cov={module}", "--cov-report=term:skip-covered"]
            if package != "shared":
                # jaxtyping finds the checker by its name, of which it imports the first part only.
                words += ["-p", "onepaper.testing.type_checks"]
                words += [f"--jaxtyping-packages={module},onepaper.testing.type_checks.checked"]
        slowness = _slowness() if budget else 1.0
        began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            # 5: no test is marked slow.
            codes = [0, 5] if "slow" in options else [0]
            session.run(
                "pytest",
                "--markdown-docs",
                *options,
                *words,
                env=_test_variables(session, package),
                success_codes=codes,
            )
        except nox.command.CommandFailed:
            failed.append(f"{package}: tests failed")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        session.log(f"{package}: {time.monotonic() - began:.0f} s on the clock, {used:.0f} s of processor time")
        allowed = budget * (slowness + _slowness()) / 2 if budget else 0
        if allowed and not REST and used > allowed:
            failed.append(
                f"{package}: {used:.0f} s of processor time, the budget is {allowed:.0f}; make tests faster or slow"
            )
    if failed:
        session.error("; ".join(failed))


def _slowness() -> float:
    """Time of a fixed computation over that of the machine for which TEST_BUDGET is set; at least 1."""
    times = []
    for _ in range(3):
        began, total = time.process_time(), 0
        for number in range(6_000_000):
            total += number * number % 7
        times.append(time.process_time() - began)
    return max(1.0, min(times) / REFERENCE_SECONDS)


def _test_variables(session: nox.Session, package: str) -> dict[str, str]:
    """Environment variables of a package's tests."""
    variables = {"COVERAGE_FILE": f".coverage.{package}", "OMP_NUM_THREADS": "1"}
    if _frameworks(package) == {"jax"}:
        # Most of a JAX package's tests is compilation: do it quickly rather than well, and once.
        variables["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0".strip()
        variables["JAX_COMPILATION_CACHE_DIR"] = str(session.cache_dir / "jax")
        variables["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.3"
    return variables


def _documents(folder: str) -> list[str]:
    """Pages whose Python snippets run with this package's tests."""
    name = Path(folder).name
    pages = [
        ROOT / folder / "README.md",
        ROOT / "docs" / "papers" / f"{name}.md",
        *sorted((ROOT / "docs" / "tutorials").glob(f"{name}*.md")),
        *sorted((ROOT / "docs" / "guides" / name).glob("*.md")),
    ]
    return [str(page.relative_to(ROOT)) for page in pages if page.exists()]


@nox.session
def lint(session: nox.Session) -> None:
    """Formatting, lint, import contracts, dependencies and the repository rules."""
    session.install("ruff==0.17.6", "import-linter>=2.1,<3", "deptry>=0.23", "./shared")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    sources = [str(folder) for folder in [ROOT / "shared/src", *ROOT.glob("packages/*/src")]]
    path = {"PYTHONPATH": os.pathsep.join(sources)}
    session.run("lint-imports", env=path)
    for folder in ["shared", *(f"packages/{paper}" for paper in PAPERS)]:
        with session.chdir(folder):
            # DEP003: the shared package is declared in a form that only hatchling reads.
            # Programs that made the shipped data are run by maintainers, with libraries that no package needs.
            ours = [
                "--extend-exclude",
                "data_build",
                "--known-first-party",
                "onepaper",
                "--known-first-party",
                Path(folder).name.replace("-", "_"),
            ]
            session.run("deptry", ".", "--ignore", "DEP003", "--optional-dependencies-dev-groups", "test", *ours)
            if folder != "shared":
                session.run("lint-imports", env=path)
    session.run("python", "tools/repository_rules.py", *REST)
    session.run("python", "tools/render_results.py", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Static types: strict for the shared package, standard for the papers."""
    session.install("basedpyright>=1.40,<2", "latex2mathml>=3.77", "mkdocs==1.6.1", PLAYWRIGHT)
    arranged = _torch_arrangement(session)
    session.install("-e", "./shared[torch,jax,test]", env=arranged)
    for paper in PAPERS:
        session.install("-e", "./shared", "-e", f"./packages/{paper}[test]", env=arranged)
    session.run("basedpyright", "--level", "error", "--pythonpath", str(Path(session.bin) / "python"), *REST)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site, where a broken link or an unknown name is an error, and open its pages in a browser, if any."""
    tools = ["mkdocs==1.6.1", "mkdocs-material==9.8.1", "ruff", "mkdocstrings-python>=2,<3", "latex2mathml>=3.77"]
    session.install(*tools, PLAYWRIGHT, "./shared")
    # Not quiet: with -q mkdocs exits 0 on a broken link.
    session.run("mkdocs", "build", "--strict", *REST, env={"NO_MKDOCS_2_WARNING": "1"})
    if not REST:  # the site may be elsewhere
        session.run("python", "tools/check_site.py", "site")


@nox.session
@nox.parametrize("package", CHOSEN_PAPERS, ids=CHOSEN_PAPERS)
def notebooks(session: nox.Session, package: str) -> None:
    """Make the tutorials of a paper notebooks and execute them, each in its folder below build/notebooks/."""
    _install(session, package)
    session.install("nbclient>=0.10", "ipykernel>=6")
    folder = ROOT / "build" / "notebooks"
    for page in sorted((ROOT / "docs" / "tutorials").glob(f"{package}*.md")):
        session.run("python", "tools/notebooks.py", str(folder), page.stem)
        with session.chdir(folder):
            session.run("jupyter-execute", "--inplace", f"{page.stem}.ipynb")


@nox.session
@nox.parametrize("package", CHOSEN_PAPERS, ids=CHOSEN_PAPERS)
def remeasure(session: nox.Session, package: str) -> None:
    """Measure one claim of each paper again; print its time and memory beside those of its recorded result."""
    _install(session, package)
    folder = session.cache_dir / f"remeasure-{package}"
    shutil.rmtree(folder, ignore_errors=True)
    session.run("python", "tools/remeasure.py", package, str(folder))


@nox.session
def build(session: nox.Session) -> None:
    """Release wheels and source archives of the shared package and the papers into dist/."""
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    for folder in ["shared", *(f"packages/{paper}" for paper in CHOSEN_PAPERS)]:
        # The wheel is built from the source archive, which shows that this is complete.
        session.run("uv", "build", "--out-dir", "dist", folder, external=True, env={"ONEPAPER_RELEASE": RELEASE_RANGE})


@nox.session
def release(session: nox.Session) -> None:
    """Check versions and licences, build, and install papers together; `-- cdcd sed 3.11 3.13` chooses among all.

    In each Python a short claim of each paper is measured, from wheels alone. `packaging` installs each paper alone,
    `lowest` with the lowest versions of its dependencies.
    """
    session.run("python", "tools/release.py", "versions")
    build(session)
    session.run("python", "tools/release.py", "archives", "dist", *(CHOSEN_PAPERS if NAMED else ()))
    wheels = [str(path) for path in sorted((ROOT / "dist").glob("*.whl"))]
    frameworks = sorted(set().union(*map(_frameworks, CHOSEN_PAPERS)))
    arranged = _torch_arrangement(session) if "torch" in frameworks else {}
    for version in REST or [f"{sys.version_info.major}.{sys.version_info.minor}"]:
        folder = session.cache_dir.resolve() / f"release-{version}"
        python = str(folder / "bin" / "python")
        shutil.rmtree(folder, ignore_errors=True)
        session.run("uv", "venv", "--python", version, str(folder), external=True)
        session.run("uv", "pip", "install", "--python", python, *wheels, external=True, env=arranged)
        with session.chdir(folder):
            together = "; ".join(f"import {name}; {_ONES[name]}(2)" for name in frameworks)
            session.run(python, "-c", together, external=True)
            for paper in CHOSEN_PAPERS:
                words = ["reproduce", "--claims", _short_claim(paper)]
                session.run(python, "-m", "onepaper", paper, *words, external=True)


_ONES = {"jax": "jax.numpy.ones", "torch": "torch.ones"}


def _short_claim(paper: str) -> str:
    """The id of the shortest recorded claim of at least a second, which loads a framework and weights."""
    results = [json.loads(path.read_text()) for path in (ROOT / "packages" / paper / "results").glob("*.json")]
    return min((result["seconds"], result["id"]) for result in results if result["seconds"] >= 1)[1]


@nox.session
def packaging(session: nox.Session) -> None:
    """Install every paper as its users would: from a folder, from git, from release wheels; scaffold new ones."""
    # The plan for a GPU unpacks wheels with pip, which environments of uv lack.
    session.install("pytest>=8.3.5", "nox", "pip", "uv", PLAYWRIGHT, "./shared")
    session.run("pytest", "tools/tests", *REST, env=_torch_arrangement(session))


@nox.session
def scaffold(session: nox.Session) -> None:
    """Make new paper packages for torch, JAX and neither in a copy of the repository and run their tests."""
    session.install("./shared")
    session.run("python", "tools/new_package.py", "scaffold", "--try", *REST)


@nox.session
def gpu(session: nox.Session) -> None:
    """Run the trainings and checks that want a GPU (tools/gpu_plan.py); `-- --smoke` runs small forms on a CPU."""
    plans = {"shared": ROOT / "shared", **{paper: ROOT / "packages" / paper for paper in PAPERS}}
    extras = {
        name: {extra for item in tomllib.loads(path.read_text())["items"] for extra in item.get("extras", ())}
        for name, folder in plans.items()
        if (path := folder / "gpu_plan.toml").is_file()
    }
    targets = [f"./shared[{','.join(sorted({'torch', 'jax'} | extras.pop('shared', set())))}]"]
    targets += [f"./packages/{name}[{','.join(sorted(found))}]" for name, found in extras.items()]
    cuda = ["jax[cuda12]"] if Path("/dev/nvidiactl").exists() else []
    editable = [word for target in targets for word in ("-e", target)]
    # The tool unpacks wheels with pip, which environments of uv lack.
    session.install(*editable, *cuda, "pip", env=_torch_arrangement(session))
    session.run("python", "tools/gpu_plan.py", *REST)


@nox.session
def ray(session: nox.Session) -> None:
    """On local clusters: the script for Ray in docs/scaling.md, features of audio-datasets, the filters of imagen3."""
    _install(session, "compose-diffusion")
    _install(session, "audio-datasets", "ray,test")
    _install(session, "imagen3", "ray,test")
    session.run("pytest", "-m", "slow", "tools/tests/test_ray.py", *REST)
    session.run("pytest", "-m", "slow", "-k", "ray", "packages/audio-datasets/tests/extraction", *REST)
    session.run("pytest", "-m", "slow", "-k", "ray", "packages/imagen3/tests/data", *REST)


@nox.session
@nox.parametrize("framework", ["torch", "jax"], ids=["torch", "jax"])
def endurance(session: nox.Session, framework: str) -> None:
    """Kill a training run at random moments, over and over, and check that nothing is lost."""
    _install(session, "shared", "test")
    session.run("python", "tools/endurance.py", "--framework", framework, *(REST or ["--kills", "50"]))


@nox.session
@nox.parametrize("package", CHOSEN_PAPERS, ids=CHOSEN_PAPERS)
def scale(session: nox.Session, package: str) -> None:
    """Train each paper's smallest preset on two processes (torch) or eight virtual devices (JAX) of this machine."""
    if not _frameworks(package):
        session.skip(f"{package} needs no framework")
    _install(session, package)
    folder = session.cache_dir / f"scale-{package}"
    shutil.rmtree(folder, ignore_errors=True)
    words = ["train", "--preset", "smoke", "--device", "cpu", "--output", str(folder), *REST]
    if "torch" in _frameworks(package):
        launcher = ("torchrun", "--nproc-per-node", "2", "-m", package.replace("-", "_"))
        session.run(*launcher, *words, env={"OMP_NUM_THREADS": "1"})
    else:
        session.run("onepaper", package, *words, env={"XLA_FLAGS": "--xla_force_host_platform_device_count=8"})


@nox.session
@nox.parametrize("package", CHOSEN_PAPERS, ids=CHOSEN_PAPERS)
def bench(session: nox.Session, package: str) -> None:
    """Compare a paper's speed with named peers, in alternating processes."""
    folder = ROOT / "packages" / package / "benchmarks"
    if not folder.is_dir():
        session.skip(f"{package} has no benchmarks")
    _install(session, package, "bench")
    for script in sorted(folder.glob("bench_*.py")):
        session.run("python", str(script), *REST)
