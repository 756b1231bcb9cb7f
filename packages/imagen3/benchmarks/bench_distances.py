"""Distances between sets of features: the statistics of a Frechet distance beside torch-fidelity's, and CMMD.

    python bench_distances.py [--quick] [--rounds 3] [--threads 1] [--output FILE]

Both take random features of the size of those of FID, in double precision; networks are not part of it. `statistics` is
the time of the means and covariances of both sets, `seconds` that of these and of the distance: processor time of one
thread. Each measurement is a process of its own, and they take turns. Of CMMD, on 30,000 by 768 features in single
precision, the peak memory is that above the features themselves.
"""

import json
import time

from onepaper.benchmark import (
    alternate,
    median_ratio,
    option_parser,
    peak_bytes,
    reset_peak,
    resident_bytes,
    single_threaded,
    write_result,
)

SIZES = {"full": (10_000, 2048, 30_000, 768), "quick": (2000, 256, 2000, 768)}


def measure(what: str, size: str) -> dict[str, float]:
    """One program in this process: seconds, the distance, and the peak of memory above the features."""
    import numpy as np

    count, dim, pictures, width = SIZES[size]
    generator = np.random.default_rng(0)
    shape = (pictures, width) if what == "cmmd" else (count, dim)
    first, second = (generator.standard_normal(shape, np.float32) + shift for shift in (np.float32(0), np.float32(0.1)))
    if what == "cmmd":
        from imagen3.evaluation.distribution import cmmd

        reset_peak()
        before, begun = resident_bytes(), time.process_time()
        distance = cmmd(first, second)
        return {"seconds": time.process_time() - begun, "distance": distance, "bytes": peak_bytes() - before}
    inputs = [own.astype(np.float64) for own in (first, second)]
    if what == "theirs":
        import torch
        from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

        tensors = [torch.from_numpy(own) for own in inputs]
        begun = time.process_time()
        found = [fid_features_to_statistics(own) for own in tensors]
        between = time.process_time()
        distance = next(iter(fid_statistics_to_metric(*found, False).values()))
        return {"statistics": between - begun, "seconds": time.process_time() - begun, "distance": distance}
    from imagen3.evaluation.distances import covariance, frechet

    begun = time.process_time()
    for own in inputs:
        covariance(own)
    between = time.process_time()
    reset_peak()
    before, distance = resident_bytes(), frechet(*inputs).distance
    seconds = time.process_time() - between
    return {"statistics": between - begun, "seconds": seconds, "distance": distance, "bytes": peak_bytes() - before}


def main() -> None:
    """Measure in turns, and print medians."""
    parser = option_parser(__doc__, rounds=3, quick="small sizes, as a test", measure=("PROGRAM", "SIZE"))
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(*given.measure)))
        return
    size = "quick" if given.quick else "full"
    cases = {name: ["--measure", name, size] for name in ("ours", "theirs", "cmmd")}
    try:
        import torch_fidelity.metric_fid  # noqa: F401  # pyright: ignore
    except (ImportError, RuntimeError) as error:
        print(f"left out: torch-fidelity ({error})")
        del cases["theirs"]
    found = alternate(__file__, cases, given.rounds, single_threaded())
    for name in found.keys() & {"ours", "theirs"}:
        for own in found[name]:
            own["distance of statistics"] = own["seconds"] - own["statistics"]
    summary = {name: {key: sorted(own[key] for own in answers)[len(answers) // 2] for key in answers[0]}
               for name, answers in found.items()}  # fmt: skip
    if "theirs" in found:
        summary["theirs over ours"] = {
            stage: median_ratio(*([own[stage] for own in found[name]] for name in ("theirs", "ours")))
            for stage in ("statistics", "distance of statistics", "seconds")
        }
    print(json.dumps(summary, indent=1))
    result = {"threads": 1, "sizes": SIZES[size], "medians": summary, "rounds": found}
    write_result(given.output, result, ("numpy", "scipy", "torch-fidelity"))


if __name__ == "__main__":
    main()
