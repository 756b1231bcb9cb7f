"""The verb `rank-law`: a table and a plot of the distribution of the rank of the true token."""

import numpy as np
from onepaper.display.file_bytes import figure_png
from onepaper.display.plots import lines
from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation
from onepaper.runs import write_atomic

from simplex_cir.cli.options import RankLawOptions
from simplex_cir.diffusion.rank_law import RankLaw

QUANTILES = (0.5, 0.99, 0.999)


def rank_law_verb(call: Invocation) -> None:
    """Print mean, probability of rank 1 and quantiles for each size and SNR; write `rank_law.json` and `.png`."""
    options: RankLawOptions = call.options
    use_device(options)
    if options.dry_run:
        print(f"would tabulate {len(options.categories)} sizes at {len(options.snr)} SNRs")
        return
    heading = "".join(f"{f'{100 * q:g}%':>9}" for q in QUANTILES)
    rows = []
    print(f"{'categories':>10}{'SNR':>8}{'mean':>12}{'P(first)':>10}{heading}")
    for n in options.categories:
        for snr in options.snr:
            law = RankLaw(n, snr, options.a)
            quantiles = {f"{100 * q:g}%": law.quantile(q) for q in QUANTILES}
            rows.append({"categories": n, "snr": snr, "mean": law.mean(), "first": law.first(), "quantiles": quantiles})
            summary = "".join(f"{rank:>9}" for rank in quantiles.values())
            print(f"{n:>10}{snr:>8g}{law.mean():>12.4f}{law.first():>10.4f}{summary}")
    grid = np.geomspace(1, 60, 25)
    curves = {
        f"n={n:,}": (grid, [1 - RankLaw(n, float(snr), options.a).first() for snr in grid]) for n in options.categories
    }
    figure = lines(
        curves,
        "SNR m",
        "probability that the token is not first",
        log_x=True,
        log_y=True,
        ordered=True,
        legend_title="vocabulary",
    )
    with call.open_run() as run:
        run.write_json("rank_law.json", {"a": options.a, "rows": rows})
        write_atomic(run.folder / "rank_law.png", figure_png(figure))
    print(f"table and figure: {run.folder / 'rank_law.json'}, {run.folder / 'rank_law.png'}")
