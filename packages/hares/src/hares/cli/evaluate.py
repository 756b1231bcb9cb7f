"""The verb `evaluate`."""

from onepaper.display.file_bytes import figure_png
from onepaper.errors import UsageError
from onepaper.paper import Invocation
from onepaper.torch.accelerator import choose_device
from torch import nn

from hares.data.mini import MINI_TASKS, mini_task
from hares.evaluation import Embedding, TaskResult, domain_gaps, evaluate_task, mean_by_domain
from hares.features.store import FeatureStore
from hares.figures import radar
from hares.hear import open_embedding
from hares.pretrained.peers import PEERS


def run(call: Invocation) -> None:
    """Score embeddings on mini-HARES: prints a table by domain and gaps; writes `evaluation.json` and `radar.png`."""
    options = call.options
    if options.dry_run:
        print(f"would evaluate {', '.join(options.embeddings)} on {', '.join(options.tasks)}")
        return
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
        found[name] = [evaluate_task(embedding, mini_task(task), store) for task in options.tasks]
        print(f"{name}:")
        for line in _lines(found[name]):
            print(f"  {line}", flush=True)
    if len(found) > 1:
        print("difference from the best other embedding, paired by clip:")
        for line in _gaps(found):
            print(f"  {line}")
    scores = {name: {result.task: float(result.correct.mean()) for result in each} for name, each in found.items()}
    with call.open_run() as run:
        run.write_json("evaluation.json", scores)
        if len(options.tasks) >= 3:
            (run.folder / "radar.png").write_bytes(figure_png(radar(scores)))
        print(f"written: {run.folder / 'evaluation.json'}")
    print(
        f"mini-HARES, {len(options.tasks)} of {len(MINI_TASKS)} tasks: accuracy with a 95% interval over groups; "
        "partial (0/12), no HARES score"
    )


def _gaps(found: dict[str, list[TaskResult]]) -> list[str]:
    """One line an embedding and domain."""
    return [
        f"{name:<22} {domain:<12} {score.mean:+6.1%}  [{score.low:+.1%}, {score.high:+.1%}]  from {best}"
        for name, gaps in domain_gaps(found).items()
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
