"""Only commands of shell blocks are found, with continuation lines joined and comments dropped."""

from pathlib import Path

from onepaper.testing.doc_commands import commands

PAGE = """\
Run `onepaper p train` like this:

```bash
onepaper p train --preset smoke \\
    --seed 3   # quick
onepaper p presets
onepaper q train
pip install .
```

```python
onepaper = "onepaper p sample"
```

```sh
onepaper p sample "a & b" --help
```
"""


def test_commands_of_a_page(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(PAGE)
    assert commands(tmp_path / "page.md", "p") == [
        ["p", "train", "--preset", "smoke", "--seed", "3", "--dry-run"],
        ["p", "presets"],
        ["p", "sample", "a & b", "--help"],
    ]
