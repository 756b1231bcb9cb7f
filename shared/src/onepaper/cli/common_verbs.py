"""The verbs that every paper has: `reproduce`, `claims`, `presets`, `export`."""

import shlex
from dataclasses import dataclass
from typing import Annotated, Any

from onepaper.claims.reproduce import ClaimsOptions, ReproduceOptions
from onepaper.cli.columns import columns
from onepaper.cli.data_check import DATA_VERB
from onepaper.cli.export import EXPORT_VERB
from onepaper.config import flatten, to_dict
from onepaper.paper import Invocation, Paper, Verb, resolve


@dataclass(frozen=True)
class PresetsOptions:
    """Options of the `presets` verb."""

    name: Annotated[str, "positional"] = ""
    """Show this preset's configuration; without it, all are listed."""
    cost: bool = False
    """Also count parameters, FLOPs and memory (loads the framework)."""


COMMON_VERBS = (
    Verb(
        "reproduce",
        "run the paper's claims and write the report",
        "onepaper.cli.common_verbs:run_reproduce",
        ReproduceOptions,
    ),
    Verb(
        "claims",
        "list the claims, their rules and recorded verdicts",
        "onepaper.cli.common_verbs:run_claims",
        ClaimsOptions,
    ),
    Verb("presets", "list the configurations, or show one", "onepaper.cli.common_verbs:run_presets", PresetsOptions),
    EXPORT_VERB,
)


def verbs_of(paper: Paper) -> dict[str, Verb]:
    """The paper's own verbs and the common ones, by name."""
    data = (DATA_VERB,) if paper.layouts_in else ()
    return {verb.name: verb for verb in (*paper.verbs, *data, *COMMON_VERBS)}


def run_reproduce(call: Invocation) -> int:
    """The `reproduce` verb."""
    from onepaper.claims.reproduce import reproduce

    return reproduce(call.paper, call.options)


def run_claims(call: Invocation) -> int:
    """The `claims` verb."""
    from onepaper.claims.reproduce import print_claims

    return print_claims(call.paper, call.options)


def words_of(config: Any) -> list[str]:
    """The words that set each field of a configuration, but for those that are None or a list of configurations."""
    fields = flatten(to_dict(config)).items()
    return [_option(field, value) for field, value in fields if value is not None and not _has_parts(value)]


def _has_parts(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict) for item in value)


def _option(field: str, value: Any) -> str:
    *prefix, name = field.replace("_", "-").split(".")
    if isinstance(value, bool):
        return "--" + ".".join([*prefix, name if value else f"no-{name}"])
    values = value if isinstance(value, list) else [value]
    return " ".join(["--" + ".".join([*prefix, name]), *(shlex.quote(str(item)) for item in values)])


def run_presets(call: Invocation) -> int:
    """The `presets` verb."""
    paper, options = call.paper, call.options
    if options.name:
        preset = paper.preset(options.name)
        verb = next(verb.name for verb in paper.verbs if verb.accepts(preset.config))
        print(f"{options.name}: {preset.summary}")
        command = f"onepaper {paper.name} {verb} --preset {options.name}"
        print(" \\\n  ".join([command, *words_of(preset.config)]))
        if preset.unsure:
            print(f"not published, our choice: {', '.join(preset.unsure)}")
    chosen = [paper.aliases.get(options.name, options.name)] if options.name else list(paper.presets)
    if not options.name:
        for name, preset in paper.presets.items():
            print("\n".join(columns([(name, preset.summary)])))
    if options.cost and paper.cost_of:
        for name in chosen:
            cost = resolve(paper.cost_of)(paper.presets[name].config)
            print(f"cost of {name}: " + ", ".join(f"{key} {value}" for key, value in cost.items()))
    return 0
