"""The verb `evaluate`."""

from onepaper.errors import UsageError
from onepaper.paper import Invocation
from onepaper.torch.accelerator import choose_device
from torch import nn

from hares.data.mini import MINI_TASKS, mini_task
from hares.evaluation import Embedding, TaskResult, evaluate_task, mean_by_domain
from hares.hear import open_embedding
from hares.pretrained.peers import PEERS


def run(call: Invocation) -> None:
    """Score embeddings on mini-HARES and print a table by domain."""
    options = call.options
    if options.dry_run:
        print(f"would evaluate {', '.join(options.embeddings)} on {', '.join(options.tasks)}")
        return
    opened: dict[str, Embedding] = {}
    for name in options.embeddings:
        try:
            opened[name] = open_embedding(name)
        except UsageError as error:
            if name not in PEERS or len(options.embeddings) == 1:
                raise
            print(f"left out: {error}")
    for name, embedding in opened.items():
        if isinstance(embedding, nn.Module):
            embedding.to(choose_device(options.device))
        results = [evaluate_task(embedding, mini_task(task)) for task in options.tasks]
        print(f"{name}:")
        for line in _lines(results):
            print(f"  {line}")
    print(
        f"mini-HARES, {len(options.tasks)} of {len(MINI_TASKS)} tasks: accuracy with a 95% interval over groups; "
        "partial (0/12), no HARES score"
    )


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
