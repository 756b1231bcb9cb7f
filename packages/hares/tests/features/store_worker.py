"""One process that fills a feature store: `python store_worker.py FOLDER LOG SECONDS`.

Each of eight parts takes SECONDS; the parts that this process computes are lines of LOG.
"""

import sys
import time
from pathlib import Path

import numpy as np

from hares.features.store import Features, FeatureStore


def main(folder: Path, log: Path, seconds: float) -> None:
    """Fill the store, and print the sum of all features."""

    def compute(start: int, stop: int) -> Features:
        time.sleep(seconds)
        with log.open("a") as file:
            file.write(f"{start}\n")
        owners = np.repeat(np.arange(start, stop), 2)
        return Features(owners[:, None] * np.ones(3, np.float32), owners)

    found = FeatureStore(folder, items=2).get({"of": "test"}, 16, compute)
    print(float(found.rows.sum()), len(found.owners))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
