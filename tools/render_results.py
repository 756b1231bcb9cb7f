"""Fill the claims tables and numbers of README and docs from the recorded results.

python tools/render_results.py            # write
python tools/render_results.py --check    # exit 1 where a page disagrees with the results
"""

import argparse
import sys
from pathlib import Path

from onepaper.claims.tables import render_file, render_papers
from onepaper.errors import OnePaperError
from onepaper.paper import Paper, resolve

ROOT = Path(__file__).parent.parent


def papers(root: Path) -> list[Paper]:
    """Every paper of a checkout, whether it is installed or not."""
    found = []
    for folder in sorted(path.parent for path in root.glob("packages/*/pyproject.toml")):
        sys.path.insert(0, str(folder / "src"))
        found.append(resolve(f"{folder.name.replace('-', '_')}.paper:PAPER"))
    return found


def main() -> int:
    """Render, or check, every page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 where a page disagrees")
    check = parser.parse_args().check
    every = papers(ROOT)
    try:
        changed = [ROOT / "README.md"] if render_papers(ROOT / "README.md", every, check) else []
        for paper in every:
            for page in (ROOT / "packages" / paper.name / "README.md", ROOT / "docs" / "papers" / f"{paper.name}.md"):
                if render_file(page, paper, check):
                    changed.append(page)
    except OnePaperError as error:
        print(f"render_results: {error}", file=sys.stderr)
        return error.exit_code
    for page in changed:
        print(f"rendered {page.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
