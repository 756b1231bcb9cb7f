"""The `gallery` verb: compositions of the shipped models, by the reverse process and with MCMC, on one page.

An example is a name and the options of the `sample` verb that draw its right-hand picture; the left-hand one is the
same request by the reverse process alone. To show another composition, add an entry to `EXAMPLES`.
"""

import shlex
import time
from dataclasses import dataclass, fields, replace
from pathlib import Path

from onepaper import progress
from onepaper.claims.artifacts import data_uri
from onepaper.config import unknown
from onepaper.display.gallery import File, Item, Section, write_page
from onepaper.errors import UsageError
from onepaper.paper import Invocation
from onepaper.torch.accelerator import Accelerator

from compose_diffusion.cli.options import GalleryOptions, SampleOptions
from compose_diffusion.cli.sample import draw_request, requested, sampler_name, sampler_options
from compose_diffusion.evaluation.reused_models import SHIPPED_WEIGHTS

_TOY = SampleOptions(sampler="ula", count=300, batch_size=300, steps_per_level=10)
_DIGITS = SampleOptions(sampler="ula", count=20, num_levels=50)


@dataclass(frozen=True)
class Example:
    """One composition.

    Attributes:
        name: unique, a file's name.
        title: what it shows.
        options: how `sample` draws it with MCMC.
    """

    name: str
    title: str
    options: SampleOptions


EXAMPLES: tuple[Example, ...] = (
    Example("toy-and", "AND: a ring and a bar", replace(_TOY, expression="ring & bar")),
    Example("toy-or", "OR: one of two bars", replace(_TOY, expression="left_bar | right_bar")),
    Example("toy-mixed", "OR with mixing weights", replace(_TOY, expression="0.8*left_bar | 0.2*right_bar")),
    Example("toy-tempered", "tempering: a ring at four times the temperature", replace(_TOY, expression="ring @ 0.25")),
    Example("digits-one", "one digit", replace(_DIGITS, expression="digits[3]")),
    Example("digits-guided", "guidance of weight 3", replace(_DIGITS, expression="3*digits[8] - 2*digits")),
    Example("digits-not", "NOT: a digit and not another", replace(_DIGITS, expression="digits[3] & ~digits[5]")),
    Example("digits-and", "AND: two digits at once", replace(_DIGITS, expression="digits[1] & digits[7]")),
    Example(
        "digits-classifier",
        "guidance by a classifier",
        replace(_DIGITS, all_of=(4,), by="classifier", guidance=1.0),
    ),
    Example(
        "positions",
        "two positions: one model with two conditions",
        SampleOptions(
            expression="positions[3,12] + positions[20,5] - positions", sampler="ula", count=12, num_levels=50
        ),
    ),
    Example(
        "pipelines",
        "two diffusers pipelines, trained apart: the digits 3, 5 and 8, and thick strokes",
        SampleOptions(
            expression="shape & thick",
            leaf=tuple(f"{name}={SHIPPED_WEIGHTS / name}" for name in ("shape", "thick")),
            sampler="ula",
            steps_per_level=1,
            count=20,
            num_levels=25,
        ),
    ),
)

LEAD = "Left or above: the reverse process with the composed score. Right or below: the same score, with MCMC."


def gallery_verb(call: Invocation) -> int:
    """Writes `index.html`, which includes its pictures, and the pictures as PNG files."""
    options: GalleryOptions = call.options
    examples = chosen_examples(options.only)
    if options.dry_run:
        print(f"would draw {', '.join(example.name for example in examples)}, each with and without MCMC")
        return 0
    with Accelerator(options) as accelerator, call.open_run() as run, accelerator.autocast():
        begun = time.perf_counter()
        shown = progress.track(examples, "examples", unit="example")
        sections = [_section(example, options.seed, run.folder, accelerator) for example in shown]
        page = write_page(run.folder, f"Gallery: {call.paper.title}", sections, LEAD)
    print(f"{len(examples)} examples, each with and without MCMC, {time.perf_counter() - begun:.1f} s")
    print(f"gallery: {page}")
    return 0


def chosen_examples(only: tuple[str, ...]) -> list[Example]:
    """The examples of these names; all of them for no name.

    Raises:
        UsageError: no such example; the message has the most similar name.
    """
    by_name = {example.name: example for example in EXAMPLES}
    for name in only:
        if name not in by_name:
            raise UsageError(unknown("example", name, by_name))
    return [by_name[name] for name in only or by_name]


def _section(example: Example, seed: int, folder: Path, accelerator: Accelerator) -> Section:
    """Draw an example by both samplers and return its part of the page."""
    with_mcmc = replace(example.options, seed=seed, device=str(accelerator.device.type))
    request = requested(with_mcmc, accelerator.device)
    items = []
    for kind in ("reverse", "mcmc"):
        # Options of MCMC do not apply to the reverse process.
        reverse = replace(with_mcmc, sampler="reverse", steps_per_level=None)
        chosen = sampler_options(reverse if kind == "reverse" else with_mcmc, request.source)
        begun = time.perf_counter()
        drawn = draw_request(request, chosen, with_mcmc, accelerator)
        seconds = time.perf_counter() - begun
        picture = folder / f"{example.name}-{kind}.png"
        request.write_picture(drawn.x, picture)
        found = request.source.attribute_accuracy(drawn.x, request.wanted)
        rates = [f"{name} {fraction:.0%}" for name, fraction in found.items()]
        caption = "; ".join([sampler_name(chosen), *rates, f"{seconds:.1f} s"])
        address = data_uri("image/png", picture.read_bytes())
        items.append(Item([File(picture.name, address, "picture", is_link=False)], caption))
    return Section(items, example.title, command_of(example.options, seed))


def command_of(options: SampleOptions, seed: int) -> str:
    """The command that draws an example's right-hand picture."""
    words = ["onepaper", "compose-diffusion", "sample", *([options.expression] if options.expression else [])]
    for field in fields(options):
        value, option = getattr(options, field.name), field.name.replace("_", "-")
        if field.name in ("expression", "seed") or value == field.default:
            continue
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            # --leaf is given once for each model.
            for values in [(one,) for one in value] if field.name == "leaf" else [value]:
                words += [f"--{option}", *map(str, values if isinstance(values, tuple) else (values,))]
    return " ".join(map(shlex.quote, [*words, "--seed", str(seed)]))
