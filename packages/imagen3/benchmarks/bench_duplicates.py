"""The search for similar pictures beside the BK-tree of imagededup, on equal hashes.

    pip install ".[bench]"
    python benchmarks/bench_duplicates.py [--quick] [--rounds 3] [--threads 1] [--output FILE]

Hashes of 64 bits are random, and one in a hundred is a copy with one bit changed. Both find hashes that differ in at
most two bits; ours compares the colours of 8 by 8 cells too, as the filter does. Each round is a process of its own.
The ratio is the time of imagededup over ours. The tree is measured on `TREE_QUERIES` queries, scaled to all hashes.
"""

import json
import time

import numpy as np
from onepaper.benchmark import alternate, median_ratio, option_parser, pin, write_result

COUNT, QUICK_COUNT, TREE_QUERIES, BITS, TOLERANCE = 100_000, 2_000, 200, 2, 10.0


def hashes(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Signs [count, 64] and colours [count, 192], with copies at the end."""
    generator = np.random.default_rng(0)
    signs = generator.choice(np.array([-1, 1], np.float32), (count, 64))
    colours = generator.uniform(0, 255, (count, 192)).astype(np.float32)
    copies = count // 100
    signs[-copies:], colours[-copies:] = signs[:copies], colours[:copies] + 1
    signs[np.arange(count - copies, count), generator.integers(0, 64, copies)] *= -1
    return signs, colours


def measure(name: str, count: int) -> dict[str, float]:
    """Seconds of a search, and how many hashes have a copy by it."""
    signs, colours = hashes(count)
    if name == "ours":
        from imagen3.data.pipeline.similar import similar_groups

        begun = time.perf_counter()
        groups = similar_groups(signs, colours, BITS, TOLERANCE)
        return {"seconds": time.perf_counter() - begun, "share": float((np.bincount(groups)[groups] > 1).mean())}
    from imagededup.handlers.search.bktree import BKTree

    words = np.packbits(signs > 0, axis=1)
    texts = {str(number): own.tobytes().hex() for number, own in enumerate(words)}
    begun = time.perf_counter()
    tree = BKTree(texts, lambda first, second: (int(first, 16) ^ int(second, 16)).bit_count())
    built = time.perf_counter() - begun
    queries = list(texts)[:: max(1, count // TREE_QUERIES)]
    begun = time.perf_counter()
    found = [len(tree.search(texts[query], tol=BITS)) > 1 for query in queries]
    seconds = built + (time.perf_counter() - begun) * count / len(queries)
    return {"seconds": seconds, "share": float(np.mean(found))}


def main() -> None:
    """Measure in alternating processes and print the median ratio."""
    given = option_parser(__doc__, rounds=3, quick="2,000 hashes", measure=("NAME", "COUNT")).parse_args()
    if given.measure:
        pin(given.threads)
        print(json.dumps(measure(given.measure[0], int(given.measure[1]))))
        return
    count = QUICK_COUNT if given.quick else COUNT
    found = alternate(
        __file__, {name: ["--measure", name, str(count)] for name in ("ours", "imagededup")}, rounds=given.rounds
    )
    times = {name: [row["seconds"] for row in own] for name, own in found.items()}
    result = {"count": count, "ratio": median_ratio(times["imagededup"], times["ours"]), "rounds": found}
    print(json.dumps(result, indent=1))
    write_result(given.output, result, ("numpy", "scipy", "imagededup"))


if __name__ == "__main__":
    main()
