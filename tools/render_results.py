"""Fill the claims tables and numbers of README and docs from the recorded results.

python tools/render_results.py            # write
python tools/render_results.py --check    # exit 1 where a page disagrees with the results
"""

import argparse
import sys
from pathlib import Path

from onepaper.claims.tables import all_claims_table, papers_table, render_file, render_tables
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


def render_overview(root: Path, check: bool = False) -> list[Path]:
    """Write the tables of all papers; the pages that changed."""
    every = papers(root)
    tables = {
        root / "README.md": {"papers": papers_table(every)},
        root / "docs" / "claims.md": {"all-claims": all_claims_table(every)},
    }
    return [page for page, content in tables.items() if render_tables(page, content, check)]


def main() -> int:
    """Render, or check, every page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 where a page disagrees")
    check = parser.parse_args().check
    try:
        changed = render_overview(ROOT, check)
        for paper in papers(ROOT):
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
