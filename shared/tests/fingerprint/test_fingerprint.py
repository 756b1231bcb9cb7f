import shutil
from pathlib import Path

import pytest

from onepaper.claims import Above, AllOf, Below
from onepaper.errors import UsageError
from onepaper.fingerprint import SHARED_FOLDER, code_fingerprint, code_tokens, rule_names, unmeasured_definitions

FILES = {
    "__init__.py": """__version__ = "1"
_EXPORTS = {"sample": "samplers"}
def __getattr__(name):
    return _EXPORTS
""",
    "claims.py": '''"""Claims."""
import math
from pkg import config
STEPS = 3
CLAIMS = ("C1",)

def measure(context):
    """Measure."""
    from pkg.samplers import sample
    if STEPS < 0:
        raise ValueError("no steps")
    return helper(sample(STEPS, start=config.START))

def helper(x: int) -> int:
    return math.floor(x)  # as it is

def other(context):
    import pkg.unrelated
    return 1
''',
    "config.py": "WIDTH = 3\nSTART = 1\nUNUSED = 1\n",
    "samplers.py": "from .deep import maths\ndef sample(n, start=0):\n    return maths.square(n) + start\n",
    "deep/__init__.py": "",
    "deep/maths.py": "from ..config import WIDTH\ndef square(x):\n    return x * x * WIDTH\n",
    "unrelated.py": "X = 1\n",
    "weights.bin": "123",
}


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "pkg"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def change(package, name, old, new):
    path = package / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def of(package):
    return code_fingerprint("pkg.claims:measure", package, ("weights.bin",))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("claims.py", '"""Measure."""', '"""Other words."""'),
        ("claims.py", '    """Measure."""\n', ""),
        ("claims.py", "# as it is", "# unchanged"),
        ("claims.py", "helper(sample(STEPS", "helper(\n        sample( STEPS"),
        ("claims.py", "(x: int) -> int", '(x: "Float[Array, n]") -> float'),
        ("claims.py", '"no steps"', '"steps is below 0, expected at least 0"'),
        ("claims.py", '("C1",)', '("C1", "C2")'),
        ("claims.py", "return 1", "return 2"),
        ("claims.py", "import math", "import math, os"),
        ("config.py", "UNUSED = 1", "UNUSED = 2"),
        ("unrelated.py", "X = 1", "X = 2"),
        ("__init__.py", '__version__ = "1"', '__version__ = "2"'),
        ("__init__.py", '"sample": "samplers"', '"other": "unrelated"'),
        ("samplers.py", "def sample", "\n\n# why\ndef sample"),
    ],
)
def test_what_computes_nothing_does_not_count(package, name, old, new):
    before = of(package)
    change(package, name, old, new)
    assert of(package) == before


TABLE = """from .config import WIDTH
_SMALL = 2
NAME = "small"
TABLE = {"large": 9, "small": _SMALL * WIDTH, **{str(n): n for n in range(3)}, "last": 7}
"""


@pytest.mark.parametrize("used", ['TABLE["{}"]', "presets.TABLE['{}']", "TABLE[KEY]"])
def test_of_a_table_the_entry_counts(package, used):
    """And the whole table, where a part that is computed may replace the entry."""

    def counts(entry, old, new):
        (package / "presets.py").write_text(TABLE)
        (package / "claims.py").write_text(
            f'from pkg import presets\nfrom pkg.presets import TABLE\nKEY = "{entry}"\n'
            f"def measure(context):\n    return {used.format(entry)}\n"
        )
        before = of(package)
        change(package, "presets.py", old, new)
        return of(package) != before

    assert not counts("last", '"large": 9', '"large": 8')
    assert not counts("last", "range(3)", "range(4)")
    assert not counts("last", '"large": 9', '"large": 9, "other": 1')
    assert not counts("last", "_SMALL = 2", "_SMALL = 3")
    assert counts("last", '"last": 7', '"last": 8')
    assert counts("last", '"last": 7', '"last": 7, "last": 8')
    assert counts("last", '"last": 7', '"last": 7, **{"la" + "st": 8}')
    assert counts("small", '"large": 9', '"large": 8')
    assert counts("small", "_SMALL = 2", "_SMALL = 3")
    # A table that is changed by another statement.
    assert counts("last", '"last": 7}', '"last": 7}\nTABLE |= {"last": 8}')
    assert counts("last", '"last": 7}', '"last": 7}\nTABLE["last"] = 8')


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("claims.py", "math.floor(x)", "math.floor(x + 1)"),
        ("claims.py", "math.floor", "math.ceil"),
        ("claims.py", "import math", "import numpy as math"),
        ("claims.py", "STEPS = 3", "STEPS = 4"),
        ("claims.py", "start=config.START", "start=config.WIDTH"),
        ("claims.py", ", start=config.START", ""),
        ("claims.py", "STEPS < 0", "STEPS <= 0"),
        ("samplers.py", "square(n)", "square(n + 1)"),
        ("samplers.py", "start=0", "start=1"),
        ("samplers.py", "maths.square(n) + start", "start + maths.square(n)"),
        ("deep/maths.py", "x * x", "x * x * 1.0"),
        ("config.py", "WIDTH = 3", "WIDTH = 4"),
        ("deep/__init__.py", "", "import jax\njax.config.update('jax_enable_x64', True)\n"),
        ("__init__.py", "_EXPORTS =", "print('on import')\n_EXPORTS ="),
        ("weights.bin", "123", "124"),
    ],
)
def test_whatever_the_measurement_reaches_counts(package, name, old, new):
    before = of(package)
    change(package, name, old, new)
    assert of(package) != before


def test_moves_and_renames_at_module_level_do_not_count(package):
    before = code_fingerprint("pkg.claims:measure", package, ("weights.bin",))
    # A module moves and is renamed, a function moves into another module and is renamed, and so is a constant.
    shutil.move(package / "deep" / "maths.py", package / "arithmetic.py")
    shutil.rmtree(package / "deep")
    (package / "arithmetic.py").write_text(
        "from pkg.config import CHANNELS\ndef area(x):\n    return x * x * CHANNELS\n"
    )
    change(package, "config.py", "WIDTH", "CHANNELS")
    (package / "experiments").mkdir()
    (package / "experiments" / "__init__.py").write_text('"""Experiments."""\n')
    change(package, "samplers.py", "from .deep import maths", "import pkg.arithmetic as a")
    change(package, "samplers.py", "maths.square", "a.area")
    text = (package / "claims.py").read_text()
    (package / "claims.py").write_text('"""Only data."""\n')
    (package / "experiments" / "theory.py").write_text(text.replace("measure", "accuracy").replace("helper", "whole"))
    (package / "assets").mkdir()
    shutil.move(package / "weights.bin", package / "assets" / "w.bin")
    assert code_fingerprint("pkg.experiments.theory:accuracy", package, ("assets/w.bin",)) == before
    change(package, "arithmetic.py", "x * x", "x + x")
    assert code_fingerprint("pkg.experiments.theory:accuracy", package, ("assets/w.bin",)) != before


def test_folders_of_assets_do_not_count_but_what_is_chosen_does(package):
    (package / "samplers.py").write_text(
        'from pathlib import Path\nROOT = Path(__file__).parent / "weights"\n'
        "def sample(n, start=0):\n    return (ROOT / 'score').name\n"
    )
    before = of(package)
    change(package, "samplers.py", 'parent / "weights"', 'parents[1] / "assets" / "weights"')
    assert of(package) == before
    change(package, "samplers.py", "'score'", "'energy'")
    assert of(package) != before


def test_a_lazy_export_is_followed(package):
    before = of(package)
    change(package, "claims.py", "from pkg.samplers import sample", "from pkg import sample")
    assert of(package) == before
    change(package, "deep/maths.py", "x * x", "x")
    assert of(package) != before


@pytest.mark.parametrize(
    "table", ['_EXPORTS = {"sample": "pkg.samplers"}', 'attach(__name__, submod_attrs={"samplers": ["sample"]})']
)
def test_every_form_of_lazy_export_is_followed(package, table):
    before = of(package)
    (package / "__init__.py").write_text(f"def __getattr__(name):\n    {table}\n")
    change(package, "claims.py", "from pkg.samplers import sample", "from pkg import sample")
    assert of(package) == before


@pytest.mark.parametrize(
    ("statement", "used"),
    [
        ("import pkg.unrelated", "pkg.unrelated.X"),
        ("import pkg.unrelated as u", "u.X"),
        ("from pkg import unrelated", "unrelated.X"),
        ("from . import unrelated", "unrelated.X"),
        ("from .unrelated import X", "X"),
        ("from .unrelated import X as Y", "Y"),
        ("from pkg.unrelated import *", "X"),
    ],
)
def test_every_form_of_import_is_followed(package, statement, used):
    change(package, "samplers.py", "def sample", f"{statement}\ndef sample")
    change(package, "samplers.py", "+ start", f"+ start + {used}")
    before = of(package)
    change(package, "unrelated.py", "X = 1", "X = 2")
    assert of(package) != before


def test_the_form_of_an_import_does_not_count(package):
    change(package, "samplers.py", "+ start", "+ start + X")
    change(package, "samplers.py", "def sample", "from .unrelated import X\ndef sample")
    before = of(package)
    change(package, "samplers.py", "from .unrelated import X", "")
    change(package, "samplers.py", "+ X", "+ unrelated.X")
    change(package, "samplers.py", "    return", "    from pkg import unrelated\n    return")
    assert of(package) == before


def test_a_local_name_hides_a_global_one(package):
    (package / "samplers.py").write_text(
        "def start():\n    return 1\ndef sample(n, start=0):\n    return [start for n in range(n)]\n"
    )
    before = of(package)
    change(package, "samplers.py", "return 1", "return 2")
    assert of(package) == before


def test_a_method_does_not_hide_a_function_of_its_name(package):
    (package / "samplers.py").write_text(
        "def sample(n, start=0):\n    return A().draw(n)\n"
        "class A:\n    def draw(self, n):\n        return draw(n)\n"
        "def draw(n):\n    return n\n"
    )
    before = of(package)
    change(package, "samplers.py", "    return n\n", "    return -n\n")
    assert of(package) != before


def test_names_in_strings_are_followed(package):
    change(package, "samplers.py", "+ start", '+ resolve("pkg.unrelated:X")')
    before = of(package)
    change(package, "unrelated.py", "X = 1", "X = 2")
    assert of(package) != before
    after = of(package)
    shutil.move(package / "unrelated.py", package / "related.py")
    change(package, "samplers.py", "pkg.unrelated", "pkg.related")
    assert of(package) == after


def test_what_a_validator_calls_a_value_does_not_count(package):
    change(package, "claims.py", "import math", "import math\nfrom onepaper.config import check_between")
    change(package, "claims.py", "    if STEPS < 0", "    check_between('steps', STEPS, 0, 9)\n    if STEPS < 0")
    before = of(package)
    change(package, "claims.py", "'steps', STEPS", "'num_steps', STEPS")
    assert of(package) == before
    change(package, "claims.py", "0, 9", "0, 8")
    assert of(package) != before


def test_what_a_training_draws_does_not_count(package):
    before_text = """from onepaper.training import fit
def sample(n, start=0, *, seed=0):
    shown = None if n is None else Show(n)
    def draw(state):
        return shown(state)
    return fit(n, seed=seed, draw=draw if shown else None)
class Show:
    pass
"""
    after_text = """from onepaper.training import fit
def sample(n, start=0, *, seed=0, draw=None):
    def samples(state):
        return {} if draw is None else draw(state)
    return fit(n, seed=seed, draw=samples)
"""
    (package / "samplers.py").write_text(before_text)
    before = of(package)
    (package / "samplers.py").write_text(after_text)
    assert of(package) == before
    # A name that serves anything else counts.
    (package / "samplers.py").write_text(after_text.replace("fit(n,", "fit(n if draw is None else 2 * n,"))
    assert of(package) != before
    (package / "samplers.py").write_text(after_text.replace("seed=seed,", "seed=seed + 1,"))
    assert of(package) != before


def test_what_a_validator_says_does_not_count(package):
    (package / "samplers.py").write_text(
        "def fits(n) -> None:\n    if n > 3:\n        raise ValueError(words(n))\n"
        "def words(n):\n    return 'too large'\n"
        "def sample(n, start=0):\n    fits(n)\n    return n\n"
    )
    before = of(package)
    change(package, "samplers.py", "too large", "above 3")
    assert of(package) == before
    change(package, "samplers.py", "    fits(n)\n", "")
    assert of(package) != before


def test_a_function_that_changes_something_is_no_validator(package):
    (package / "samplers.py").write_text(
        "def train(model) -> None:\n    if not model:\n        raise ValueError\n    model.step(3)\n"
        "def sample(n, start=0):\n    train(n)\n    return n\n"
    )
    before = of(package)
    change(package, "samplers.py", "step(3)", "step(4)")
    assert of(package) != before


def test_figures_do_not_count(package):
    change(package, "samplers.py", "def sample", "def curve(x, label) -> Figure:\n    return Figure(x)\ndef sample")
    change(package, "samplers.py", "    return maths", "    shown = curve(n, 'steps')\n    return maths")
    before = of(package)
    change(package, "samplers.py", "return Figure(x)", "return Figure(x, size=3)")
    change(package, "samplers.py", "'steps'", "'number of steps'")
    assert of(package) == before
    (package / "figures.py").write_text("def lines(x, label) -> 'Figure':\n    return None\n")
    change(package, "samplers.py", "def curve(x, label) -> Figure:\n    return Figure(x, size=3)\n", "")
    change(package, "samplers.py", "curve(n, 'number of steps')", "lines(n, label='n')")
    change(package, "samplers.py", "def sample", "from pkg.figures import lines\ndef sample")
    assert of(package) == before


def test_what_no_measurement_uses_does_not_count(package):
    change(package, "samplers.py", "def sample", "def tables(n):\n    return n + 7\n\ndef sample")
    change(package, "samplers.py", "maths.square(n) + start", "tables(n) if n > 10**6 else maths.square(n) + start")
    unmarked = of(package)
    former = code_tokens("pkg.claims:measure", package)
    change(package, "samplers.py", "def tables", "@unmeasured\ndef tables")
    change(package, "samplers.py", "from .deep", "from onepaper.fingerprint.marks import unmeasured\nfrom .deep")
    marked = of(package)
    assert marked != unmarked
    (root,) = unmeasured_definitions(package)
    assert (root.module, root.name) == ("pkg.samplers", "tables")
    today = code_tokens("pkg.claims:measure", package)
    assert former != today
    change(package, "samplers.py", "n + 7", "open(n).read()")
    assert of(package) == marked
    # the same code before it was marked, with today's marks
    change(package, "samplers.py", "@unmeasured\n", "")
    assert code_tokens("pkg.claims:measure", package, unmeasured=frozenset([root])) == today
    # a decorator that is only called so is followed
    change(package, "samplers.py", "def tables", "@unmeasured\ndef tables")
    change(
        package,
        "samplers.py",
        "from onepaper.fingerprint.marks import unmeasured",
        "def unmeasured(f):\n    return f\n",
    )
    assert of(package) not in (marked, unmarked)


def test_what_evidence_shows_does_not_count_but_what_it_measures_does(package):
    change(package, "claims.py", "return helper(sample(STEPS", "return Evidence('one', [sample(STEPS")
    change(package, "claims.py", "START))", "START)], [STEPS])")
    before = of(package)
    change(package, "claims.py", "'one'", "'a headline'")
    change(package, "claims.py", ", [STEPS])", ", [STEPS + 1])")
    assert of(package) == before
    change(package, "claims.py", "[sample(STEPS", "[2 * sample(STEPS")
    assert of(package) != before


@pytest.fixture
def shared(tmp_path):
    return Path(shutil.copytree(SHARED_FOLDER, tmp_path / "onepaper", ignore=shutil.ignore_patterns("__pycache__")))


def all_python(folder):
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.py")}


@pytest.mark.parametrize(
    ("statement", "old", "new"),
    [
        ("from onepaper.claims.statistics import student_t_interval as used", "ddof=1", "ddof=0"),
        ("from onepaper.claims import Measurement as used", "ddof=1", "ddof=0"),
        ("from onepaper.training import fit as used", "step += 1", "step += 2"),
        ("from onepaper.torch.steps import TorchTask as used", "def step(self", "def step(self, *, twice=False"),
        ("from onepaper.jax.steps import JaxTask as used", "def step(self", "def step(self, *, twice=False"),
        ("from onepaper.data import BatchSampler as used", "default_rng", "Generator"),
    ],
)
def test_shared_numerics_count(package, shared, statement, old, new):
    change(package, "samplers.py", "def sample", f"{statement}\ndef sample")
    change(package, "samplers.py", "+ start", "+ used(start)")

    def now():
        return code_fingerprint("pkg.claims:measure", package, shared_folder=shared)

    before = now()
    for path in (shared / "report.py", shared / "progress.py", shared / "cli.py"):
        if path.exists():
            path.write_text(path.read_text() + "\nSHOWN = 1\n")
    assert now() == before
    changed = [path for path in all_python(shared).values() if old in path.read_text()]
    assert changed
    for path in changed:
        path.write_text(path.read_text().replace(old, new, 1))
    assert now() != before


def test_the_code_of_the_rule_counts(package, shared):
    rules = rule_names(AllOf(Above("a", 1.0), AllOf(Below("b", 2.0), Above("c", 3.0))))
    assert rules == ("Above", "AllOf", "Below")

    def now(names):
        return code_fingerprint("pkg.claims:measure", package, rules=names, shared_folder=shared)

    before, without = now(rules), now(())
    assert before != without
    (path,) = (path for name, path in all_python(shared).items() if name.rpartition("/")[2] == "rules.py")
    path.write_text(path.read_text().replace("MIN_SEEDS = 3", "MIN_SEEDS = 2"))
    assert now(rules) != before
    assert now(()) == without


def test_the_code_of_a_rule_includes_its_intervals(package):
    tokens = code_tokens("pkg.claims:measure", package, ("Below",))
    assert ("outside", "scipy.special.stdtrit", 0) in tokens


def test_a_cycle_of_definitions_ends(package):
    change(package, "config.py", "WIDTH = 3", "from pkg import samplers\nWIDTH = lambda: samplers.sample(1)")
    change(package, "deep/maths.py", "x * x", "square(x)")
    assert len(of(package)) == 64


def test_mistakes_are_reported(package):
    for measure, message in (
        ("pkg.claims:nothing", "module pkg.claims has no nothing"),
        ("pkg.nowhere:x", "module pkg.nowhere is not in"),
        ("other.claims:x", "outside the package 'pkg'"),
    ):
        with pytest.raises(UsageError, match=message):
            code_fingerprint(measure, package)
    with pytest.raises(UsageError, match=r"asset .*lost.bin: No such file"):
        code_fingerprint("pkg.claims:measure", package, ("lost.bin",))
    change(package, "config.py", "WIDTH = 3", "WIDTH = = 3")
    with pytest.raises(UsageError, match=r"config.py does not parse"):
        of(package)


def test_the_tokens_are_the_same_on_every_python(package):
    # Pinned: an upgrade of Python must not turn every recorded result stale.
    (package / "claims.py").write_text(
        "def measure(x, *, y=1):\n    'doc'\n    return [f'{x!r}', x[1:], lambda z: z]\n"
    )
    words = " ".join(f"{kind}:{text}" if text else kind for kind, text, _ in code_tokens("pkg.claims:measure", package))
    assert words == (
        "root:1 definition:1 node:FunctionDef end constant:1 end arguments:0 1 1 variable:False False local:x "
        "local:y node:Return field:value node:List field:elts node:JoinedStr node:FormattedValue field:value "
        "local:x field:conversion value:114 end node:Subscript field:value local:x field:slice node:Slice "
        "field:lower constant:1 node:Lambda end arguments:0 1 0 variable:False False local:z node:Expr "
        "field:value local:z end end end"
    )
