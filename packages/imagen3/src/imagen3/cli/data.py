"""The verb `data`: the filters of a collection, in the order of the report."""

from onepaper.paper import Invocation
from onepaper.runs import write_atomic

from imagen3.cli.options import DataOptions
from imagen3.data.pipeline.collection import filter_folder


def data_verb(call: Invocation) -> None:
    """Write what is kept, and the manifest of all decisions, into `kept/` of the run folder."""
    options = call.options
    assert isinstance(options, DataOptions)
    config = options.limits
    if options.dry_run:
        print(f"would filter {config.folder}")
        return
    with call.open_run() as run:
        kept = run.folder / "kept"
        kept.mkdir(exist_ok=True)
        found = filter_folder(
            config, write=lambda name, content: write_atomic(kept / name, content), engine=options.engine
        )
    for name, count in found.items():
        print(f"{count:>9,}  {name}")
    print(f"next: onepaper {call.paper.name} train --data.dataset folder --data.path {kept}")
