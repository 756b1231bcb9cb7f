"""Which changes leave a recorded result standing."""

import importlib.util
from pathlib import Path

import pytest

from onepaper.fingerprint import code_tokens

ROOT = Path(__file__).parents[2]
CODE = """
STEPS = 3
class Options:
    steps: int = 3
    def draw(self, target):
        return self.steps * target
def measure(context):
    options = Options()
    print(getattr(options, "steps"))
    return options.draw(target=STEPS) + options.steps
"""


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("fingerprints_tool", ROOT / "tools" / "fingerprints.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tokens(tmp_path, text):
    folder = tmp_path / "pkg"
    folder.mkdir(exist_ok=True)
    (folder / "__init__.py").touch()
    (folder / "claims.py").write_text(text)
    return code_tokens("pkg.claims:measure", folder)


def compare(tool, tmp_path, changes):
    text = CODE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return tool.compare(tokens(tmp_path, CODE), tokens(tmp_path, text))


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ([], {}),
        ([("STEPS", "NUM_STEPS"), ("Options", "Settings")], {}),
        ([("target", "known")], {"known": "target"}),
        ([(".steps", ".num_steps"), ("    steps:", "    num_steps:"), ("draw", "sample"), ('"steps"', '"num_steps"')],
         {"num_steps": "steps", "sample": "draw"}),
        # One name becomes two: the parameter and the keyword are proven one by one.
        ([("(self, target)", "(self, known)"), ("* target", "* known")], {"known": "target"}),
    ],
)  # fmt: skip
def test_renaming_is_proven(tool, tmp_path, changes, names):
    assert compare(tool, tmp_path, changes) == ("", names)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([("STEPS = 3", "STEPS = 4")], "was: .*3.*is:  .*4"),
        ([("self.steps * target", "self.steps + target")], "token"),
        ([("draw(target=STEPS)", "draw(steps=STEPS)")], "'steps' stands for both 'target' and 'steps'"),
        ([("+ options.steps", "")], "token"),
        ([('"steps"', '"draw"')], "token"),
        ([('"steps"', '"num_steps"')], "token"),
        ([("    options = Options()", "    print()\n    options = Options()")], "token"),
    ],
)
def test_anything_else_is_not(tool, tmp_path, changes, message):
    import re

    problem, names = compare(tool, tmp_path, changes)
    assert re.search(message, problem, re.DOTALL)
    assert names == {}
