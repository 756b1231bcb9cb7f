import pytest

from onepaper.errors import UsageError
from onepaper.fingerprint import code_fingerprint

FILES = {
    "__init__.py": """__version__ = "1"
_EXPORTS = {"sample": "pkg.samplers"}
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
    return helper(sample(STEPS))

def helper(x):
    return x  # as it is

def other(context):
    import pkg.unrelated
    return 1
''',
    "config.py": "WIDTH = 3\n",
    "samplers.py": "from .deep import maths\ndef sample(n):\n    return maths.square(n)\n",
    "deep/__init__.py": "",
    "deep/maths.py": "from ..config import WIDTH\ndef square(x):\n    return x * x\n",
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
        ("claims.py", "helper(sample(STEPS))", "helper(\n        sample( STEPS ),\n    )"),
        ("claims.py", '("C1",)', '("C1", "C2")'),
        ("claims.py", "return 1", "return 2"),
        ("unrelated.py", "X = 1", "X = 2"),
        ("__init__.py", '__version__ = "1"', '__version__ = "2"'),
        ("__init__.py", '"sample": "pkg.samplers"', '"other": "pkg.unrelated"'),
        ("samplers.py", "def sample", "\n\n# why\ndef sample"),
    ],
)
def test_words_form_and_neighbours_do_not_count(package, name, old, new):
    before = of(package)
    change(package, name, old, new)
    assert of(package) == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("claims.py", "return x ", "return x + 1 "),
        ("claims.py", "STEPS = 3", "STEPS = 4"),
        ("samplers.py", "square(n)", "square(n + 1)"),
        ("deep/maths.py", "x * x", "x * x * 1.0"),
        ("config.py", "WIDTH = 3", "WIDTH = 4"),
        ("deep/__init__.py", "", "import jax\njax.config.update('jax_enable_x64', True)\n"),
        ("__init__.py", "_EXPORTS", "print('on import')\n_EXPORTS"),
        ("weights.bin", "123", "124"),
    ],
)
def test_whatever_the_measurement_reaches_counts(package, name, old, new):
    before = of(package)
    change(package, name, old, new)
    assert of(package) != before


def test_a_lazy_export_is_followed(package):
    change(package, "claims.py", "from pkg.samplers import sample", "from pkg import sample")
    before = of(package)
    change(package, "deep/maths.py", "x * x", "x")
    assert of(package) != before


@pytest.mark.parametrize(
    "statement", ["import pkg.unrelated", "import pkg.unrelated as u", "from pkg import unrelated",
                  "from . import unrelated", "from .unrelated import X", "from pkg.unrelated import *"]
)  # fmt: skip
def test_every_form_of_import_is_followed(package, statement):
    change(package, "samplers.py", "def sample", f"{statement}\ndef sample")
    before = of(package)
    change(package, "unrelated.py", "X = 1", "X = 2")
    assert of(package) != before


def test_a_name_taken_from_a_subpackage_counts(package):
    change(package, "deep/__init__.py", "", "LIMIT = 1\nNOT_USED = 1\n")
    change(package, "samplers.py", "def sample", "from pkg.deep import LIMIT\ndef sample")
    before = of(package)
    change(package, "deep/__init__.py", "NOT_USED = 1", "NOT_USED = 2")
    assert of(package) == before
    change(package, "deep/__init__.py", "LIMIT = 1", "LIMIT = 2")
    assert of(package) != before


@pytest.mark.parametrize("statement", ["from .limits import LIMIT", "from ..unrelated import X as LIMIT"])
def test_imports_relative_to_a_subpackage_are_followed(package, statement):
    change(package, "deep/__init__.py", "", f"{statement}\n")
    (package / "deep" / "limits.py").write_text("LIMIT = 1\n")
    change(package, "samplers.py", "def sample", "from pkg.deep import LIMIT\ndef sample")
    before = of(package)
    changed = package / ("deep/limits.py" if "limits" in statement else "unrelated.py")
    changed.write_text("LIMIT = X = 5\n")
    assert of(package) != before


def test_a_cycle_of_imports_ends(package):
    change(package, "config.py", "WIDTH", "from pkg import samplers\nWIDTH")
    assert len(of(package)) == 64


def test_mistakes_are_told(package):
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


def test_the_hash_is_the_same_on_every_python():
    # Pinned: an upgrade of Python must not turn every recorded result stale.
    import ast

    from onepaper.fingerprint import _canonical

    code = "def f(x, *, y=1):\n    'doc'\n    return [f'{x!r}', x[1:], lambda z: z]\nclass A(B): pass\n"
    assert [_canonical(statement) for statement in ast.parse(code).body] == [
        "FunctionDef(name='f',args=arguments(args=[arg(arg='x')],kwonlyargs=[arg(arg='y')],"
        "kw_defaults=[Constant(value=1)]),body=[Return(value=List(elts=[JoinedStr(values=[FormattedValue(value="
        "Name(id='x'),conversion=114)]),Subscript(value=Name(id='x'),slice=Slice(lower=Constant(value=1))),"
        "Lambda(args=arguments(args=[arg(arg='z')]),body=Name(id='z'))]))])",
        "ClassDef(name='A',bases=[Name(id='B')],body=[])",
    ]
