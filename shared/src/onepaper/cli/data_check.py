"""The verb `data` of papers that read public data sets: `data check PATH`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from onepaper.errors import UsageError
from onepaper.paper import Invocation, Verb, resolve


@dataclass(frozen=True)
class DataOptions:
    """Options of the `data` verb."""

    action: Annotated[Literal["check"], "positional"] = "check"
    """check: compare a folder with the published layout"""
    path: Annotated[Path | None, "positional"] = None
    """the folder of the data set"""
    preset: str = ""
    """the preset that shall read it; without it, the data set is recognised by its files"""


DATA_VERB = Verb(
    "data", "check the folder of a public data set (data check PATH)", "onepaper.cli.data_check:run_data", DataOptions
)


def run_data(call: Invocation) -> int:
    """Print what a folder has and lacks; 2 if it cannot be trained on."""
    from onepaper.foreign.layouts import check_layout, recognise

    paper, options = call.paper, call.options
    if options.path is None:
        raise UsageError(f"data check needs a folder: onepaper {paper.name} data check PATH")
    config = paper.preset(options.preset).config if options.preset else None
    layouts = resolve(paper.layouts_in or "")(config)
    if not layouts:
        raise UsageError(f"preset '{options.preset}' reads no public data set; leave --preset out")
    layout = recognise(layouts, options.path)
    print(f"{options.path}: {layout.title}")
    findings = list(check_layout(layout, options.path))
    for finding in findings:
        print(f"  {'missing' if finding.fatal else 'differs' if finding.differs else 'ok':<8} {finding.text}")
    if any(finding.fatal for finding in findings):
        print("it cannot be trained on")
        return 2
    differs = any(finding.differs for finding in findings)
    print("it can be trained on" + (", but results are not comparable with published ones" if differs else ""))
    return 0
