"""The verb `evaluate`."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from onepaper.display.file_bytes import figure_png
from onepaper.errors import UsageError
from onepaper.paper import Invocation
from onepaper.runs import write_atomic
from onepaper.torch.accelerator import choose_device
from torch import nn

from hares.data.mini import MINI_TASKS, mini_task
from hares.evaluation import Embedding, TaskResult, domain_gaps, evaluate_task, mean_by_domain
from hares.features.store import FeatureStore
from hares.figures import critical_difference, gap_matrix, radar
from hares.hear import open_embedding
from hares.pretrained.peers import PEERS
from hares.probing.scores import Score, rank_test


def run(call: Invocation) -> None:
    """Score embeddings on mini-HARES: prints a table by domain, gaps and ranks; writes them with figures."""
    options = call.options
    if options.dry_run:
        print(f"would evaluate {', '.join(options.embeddings)} on {', '.join(options.chosen_tasks())}")
        return
    tasks = [mini_task(task, options.prepared) for task in options.chosen_tasks()]
    for task in tasks:
        task.clips()  # a missing folder is reported before the first embedding
    store = FeatureStore(options.features) if options.features else None
    opened: dict[str, Embedding] = {}
    for name in options.embeddings:
        try:
            opened[name] = open_embedding(name)
        except UsageError as error:
            if name not in PEERS or len(options.embeddings) == 1:
                raise
            print(f"left out: {error}")
    found: dict[str, list[TaskResult]] = {}
    for name, embedding in opened.items():
        if isinstance(embedding, nn.Module):
            embedding.to(choose_device(options.device))
        found[name] = [evaluate_task(embedding, task, store) for task in tasks]
        print(f"{name}:")
        for line in _lines(found[name]):
            print(f"  {line}", flush=True)
    gaps: Mapping[str, Mapping[str, tuple[str, Score]]] = {}
    if len(found) > 1:
        print("difference from the best other embedding, paired by clip:")
        gaps = domain_gaps(found)
        for line in _gaps(gaps):
            print(f"  {line}")
    scores = {name: {result.task: float(result.correct.mean()) for result in each} for name, each in found.items()}
    with call.open_run() as run:
        run.write_json("evaluation.json", scores)
        figures: dict[str, Figure] = {}
        if len(tasks) >= 3:
            figures["radar.png"] = radar(scores)
        if len(found) > 1:
            figures["gaps.png"] = gap_matrix(gaps)
        if len(found) > 2 and len(tasks) > 1:
            figures["ranks.png"] = critical_difference(scores)
            ranks, difference, p_value = rank_test(scores)
            print(f"mean ranks: {', '.join(f'{name} {rank:.2f}' for name, rank in ranks.items())}")
            print(f"critical difference {difference:.2f} (Nemenyi, 5%); Friedman's test p = {p_value:.2g}")
        for name, figure in figures.items():
            write_atomic(run.folder / name, figure_png(figure))
        print(f"written: {run.folder / 'evaluation.json'}")
    print(
        f"mini-HARES, {len(tasks)} of {len(MINI_TASKS)} tasks: accuracy (of mini_tags, precision of the ranking) with "
        "a 95% interval over groups; partial (0/12), no HARES score"
    )


def _gaps(found: Mapping[str, Mapping[str, tuple[str, Score]]]) -> list[str]:
    """One line an embedding and domain."""
    return [
        f"{name:<22} {domain:<12} {score.mean:+6.1%}  [{score.low:+.1%}, {score.high:+.1%}]  from {best}"
        for name, gaps in found.items()
        for domain, (best, score) in gaps.items()
    ]


def _lines(results: list[TaskResult]) -> list[str]:
    """One line a task, below the mean of its domain."""
    found: list[str] = []
    for domain, mean in mean_by_domain(results).items():
        found.append(f"{domain:<22} {mean:6.1%}")
        for result in results:
            if result.domain == domain:
                score = result.score()
                found.append(
                    f"  {result.task:<20} {score.mean:6.1%}  [{score.low:.1%}, {score.high:.1%}]  "
                    f"chance {result.chance:.1%}, {len(result.correct)} clips in {len(set(result.groups))} groups"
                )
    return found
