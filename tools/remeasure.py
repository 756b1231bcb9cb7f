"""Measure one recorded claim of a paper again and compare what it takes with what its result says.

python tools/remeasure.py PAPER FOLDER    # of the claims recorded with at most 15 seconds, the longest; FOLDER is new

Prints a row of the table "Measured again" in docs/architecture.md. Besides the time on the clock it gives the
processor time of the whole command with its imports, which depends less on what else the machine does.
"""

import argparse
import resource
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from onepaper.claims.reproduce import RESULTS
from onepaper.claims.results import Result, read_result, read_results
from onepaper.errors import OnePaperError, UsageError
from onepaper.paper import load_paper

# Seconds that the claim may have taken.
LONGEST = 15.0


def longest(results: Iterable[Result]) -> Result:
    """Of the quick results whose memory was recorded, the one that took longest within LONGEST.

    Raises:
        UsageError: there is none.
    """
    quick = [found for found in results if found.tier == "quick" and found.peak_mib and found.seconds <= LONGEST]
    if not quick:
        raise UsageError(f"no quick result of at most {LONGEST:.0f} s has its memory, expected one; record it again")
    return max(quick, key=lambda found: found.seconds)


def row(paper: str, before: Result, now: Result, processor: float) -> str:
    """A row of Markdown: times in seconds, memory in MiB, as recorded and now."""
    assert before.peak_mib is not None
    assert now.peak_mib is not None
    times = f"{before.seconds:.1f} s | {now.seconds:.1f} s | {processor:.1f} s"
    memory = f"{before.peak_mib:,} MiB | {now.peak_mib:,} MiB | {now.peak_mib / before.peak_mib:.2f}"
    return f"| {paper} | {before.id} | {before.verdict} | {now.verdict} | {times} | {memory} |"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("paper")
    parser.add_argument("folder", type=Path)
    words = parser.parse_args()
    try:
        before = longest(read_results(load_paper(words.paper)).values())
        command = ["onepaper", words.paper, "reproduce", "--claims", before.id, "--output", str(words.folder)]
        subprocess.run([sys.executable, "-m", *command], check=True, stdout=sys.stderr)
        now = read_result(words.folder / RESULTS / f"{before.id}.json")
    except OnePaperError as error:
        print(f"remeasure: {error}", file=sys.stderr)
        return error.exit_code
    except subprocess.CalledProcessError as error:
        return error.returncode
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(row(words.paper, before, now, used.ru_utime + used.ru_stime))
    return 0


if __name__ == "__main__":
    sys.exit(main())
