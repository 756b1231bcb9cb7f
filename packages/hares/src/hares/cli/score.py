"""The verb `score`: the tasks of HARES, from copies of their data sets."""

from pathlib import Path

from onepaper.config import to_dict
from onepaper.errors import UsageError
from onepaper.paper import Invocation
from onepaper.torch.accelerator import choose_device
from torch import nn

from hares.cli.options import ScoreOptions
from hares.data.tasks import TASKS
from hares.features.store import FeatureStore
from hares.hear import open_embedding
from hares.probing.scores import domain_means, hares_score
from hares.scoring import SuiteResult, score_task
from hares.suite.loading import LOADERS, open_task


def run(call: Invocation) -> None:
    """Score an embedding on the given tasks, and give the HARES score if all are there; writes `scores.json`."""
    options = call.options
    assert isinstance(options, ScoreOptions)
    given = dict(word.split("=", 1) for word in options.data)
    if not given:
        raise UsageError(f"give --data TASK=FOLDER of at least one task: {', '.join(LOADERS)}")
    if options.dry_run:
        print(f"would score {options.embedding} on {', '.join(given)}")
        return
    embedding = open_embedding(options.embedding)
    if isinstance(embedding, nn.Module):
        embedding.to(choose_device(options.device))
    store = FeatureStore(options.features) if options.features else None
    kind = None if options.probe == "paper" else options.probe
    # Tables are read before the run folder is created, and before hours of embedding.
    opened = {name: open_task(name, Path(folder)) for name, folder in given.items()}
    found: dict[str, SuiteResult] = {}
    with call.open_run() as folder:
        for name, data in opened.items():
            found[name] = score_task(embedding, data, kind, seed=options.seed, store=store)
            print(_line(name, found[name]))
            folder.write_json("scores.json", {task: to_dict(result) for task, result in found.items()})
    scores = {result.task: result.score for result in found.values()}
    for domain, mean in domain_means(scores).items():
        print(f"{domain:<26}{mean:6.1%}")
    total = hares_score(scores)
    print(f"partial ({len(scores)}/{len(TASKS)}), no HARES score" if total is None else f"HARES {total:.1%}")
    print(f"written: {folder.folder / 'scores.json'}")


def _line(name: str, result: SuiteResult) -> str:
    interval = f"  [{result.interval.low:.1%}, {result.interval.high:.1%}]" if result.interval else ""
    note = f"  ({result.note})" if result.note else ""
    return f"{name:<26}{result.score:6.1%}{interval}  {result.probe}, {result.clips:,} test clips{note}"
