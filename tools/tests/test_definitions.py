"""Rows of a page's table of equations lead to the source of their functions."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from definitions import equation_rows, find_definition, functions_of

PAGE = """# A paper

## Equations and functions

| paper | what | function |
|---|---|---|
| eq. 1 | `x` squared | `paper.method.square`, `paper.method.Sampler.step` |

## More

| a | table |
|---|---|
| not | `an.equation` |
"""
CODE = '''LIMIT: float = 2.0


@cached
@checked
def square(x):
    """Its docstring."""

    return x * x


class Sampler:
    @property
    def step(self):
        return (
            1
        )
'''


def test_rows_name_functions_and_these_their_sources(tmp_path: Path) -> None:
    (tmp_path / "paper").mkdir()
    (tmp_path / "paper" / "method.py").write_text(CODE)
    [row] = equation_rows(PAGE)
    assert functions_of(row) == ["paper.method.square", "paper.method.Sampler.step"]
    square, step = (find_definition(tmp_path, name) for name in functions_of(row))
    assert square
    assert step
    assert square.source() == CODE[CODE.index("@cached") : CODE.index("\n\n\nclass")]
    assert step.source() == "@property\ndef step(self):\n    return (\n        1\n    )"
    assert (limit := find_definition(tmp_path, "paper.method.LIMIT"))
    assert limit.source() == "LIMIT: float = 2.0"
    for name in ("paper.method.cube", "paper.method.Sampler.stop", "paper.methods.square", "other.square"):
        assert find_definition(tmp_path, name) is None
    assert equation_rows("# No table") == []
