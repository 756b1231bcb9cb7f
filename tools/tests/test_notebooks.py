"""Tutorials become valid notebooks whose cells are the tested blocks."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from notebooks import TUTORIALS, notebook

PAGE = """# Title

Words, and a command:

```bash
pip install it
```

```python
x = 1
```

```python continuation
print(x)

print(2 * x)
```

```python notest
missing()
```

Last words.
"""


def test_blocks_are_cells_and_the_rest_is_text() -> None:
    cells = notebook(PAGE)["cells"]
    assert [(cell["cell_type"], "".join(cell["source"])) for cell in cells] == [
        ("markdown", "# Title\n\nWords, and a command:\n\n```bash\npip install it\n```"),
        ("code", "x = 1"),
        ("code", "print(x)\n\nprint(2 * x)"),
        ("markdown", "```python notest\nmissing()\n```\n\nLast words."),
    ]


def test_cells_of_every_tutorial_compile() -> None:
    for page in TUTORIALS.glob("*.md"):
        codes = ["".join(cell["source"]) for cell in notebook(page.read_text())["cells"] if cell["cell_type"] == "code"]
        assert codes
        for code in codes:
            compile(code, page.name, "exec")
