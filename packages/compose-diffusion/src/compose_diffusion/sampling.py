"""Drawing what the command line asks for: an expression of named models, or digits by options, in batches.

Every batch has its own stream of randomness, a function of the seed and the batch's place, so the processes of a
distributed run share the batches out and the samples do not depend on how many processes there are.
"""

import dataclasses
import io
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from onepaper import progress
from onepaper.config import to_dict
from onepaper.errors import UsageError
from onepaper.paper import Invocation
from onepaper.runs import Run, write_atomic
from onepaper.torch.accelerator import Accelerator
from torch import Tensor, nn

from compose_diffusion.canvas import CanvasSource, read_layout
from compose_diffusion.composition import Expression
from compose_diffusion.config import SampleOptions
from compose_diffusion.diffusion import NoiseSchedule
from compose_diffusion.digits.guidance import guided_by_classifier, guided_by_label
from compose_diffusion.digits.source import DigitsSource
from compose_diffusion.expression_tree import ExpressionError, Name, Node, mentions
from compose_diffusion.language import build, parse
from compose_diffusion.level_figures import shares_by_level, write_figure
from compose_diffusion.sampler_options import SamplerOptions
from compose_diffusion.samplers import draw
from compose_diffusion.sources import TRAINED, Source, open_source, parse_paths


@dataclass(frozen=True, eq=False)
class Request:
    """What to draw.

    Attributes:
        expression: the composition, on `schedule`.
        schedule: noise levels to sample on.
        source: of the first name, or a canvas; it knows shape, suitable moves, picture and judge.
        told: the request in words or as canonical text.
        wanted: conditions asked for.
        unwanted: conditions asked not to be there.
    """

    expression: Expression
    schedule: NoiseSchedule
    source: Source
    told: str
    wanted: list[str]
    unwanted: list[str]


def requested(options: SampleOptions, device: torch.device) -> Request:
    """What the command line describes.

    Raises:
        UsageError: see `language.parse` and `sources.open_source`; models of different data shapes; options that
            belong to no model of the expression.
    """
    if options.canvas is not None:
        return _canvas_request(options, options.canvas, device)
    return _expression_request(options, device) if options.expression.strip() else _digits_request(options, device)


def _digits_request(options: SampleOptions, device: torch.device) -> Request:
    source = DigitsSource(options.weights, device)
    schedule = _levels(source, options)
    guided = guided_by_label if options.by == "label" else guided_by_classifier
    weights = {"weight": options.guidance, "negation": options.negation}
    expression = guided(source.models, options.all_of, options.none_of, **weights, schedule=schedule)
    parts = []
    if options.all_of:
        parts.append(f"all of {', '.join(map(str, options.all_of))} (weight {options.guidance:g})")
    if options.none_of:
        parts.append(f"none of {', '.join(map(str, options.none_of))} (weight {options.negation:g})")
    told = f"{' and '.join(parts)} by {options.by}" if parts else "any digit"
    return Request(expression, schedule, source, told, [*map(str, options.all_of)], [*map(str, options.none_of)])


def _expression_request(options: SampleOptions, device: torch.device) -> Request:
    text, models = options.expression, _Models(options, device)
    tree = parse(text)
    models.open([(text, tree)], f"the expression '{text}'")
    return models.request(text, tree)


def _canvas_request(options: SampleOptions, path: Path, device: torch.device) -> Request:
    layout, models = read_layout(path), _Models(options, device)
    trees = [(place.expression, parse(place.expression)) for place in layout.regions]
    models.open(trees, str(path))
    requests = [models.request(text, tree) for text, tree in trees]
    source = CanvasSource(
        layout, [request.expression for request in requests], [request.wanted for request in requests], models.first
    )
    told = f"{len(requests)} regions on a canvas of {layout.canvas[0]} x {layout.canvas[1]}"
    wanted = list(dict.fromkeys(condition for request in requests for condition in request.wanted))
    return Request(source.expression, requests[0].schedule, source, told, wanted, [])


class _Models:
    """The sources that expressions of one run name, each opened once."""

    def __init__(self, options: SampleOptions, device: torch.device) -> None:
        self.options, self.device = options, device
        self.paths = parse_paths(options.leaf)
        self.sources: dict[str, Source] = {}

    @property
    def first(self) -> Source:
        """Of the first name, whose noise levels and shape all follow."""
        return next(iter(self.sources.values()))

    def open(self, trees: Sequence[tuple[str, Node]], where: str) -> None:
        """Open whatever `trees` name; `where` says in messages where they stand."""
        named = [(name, text) for text, tree in trees for name, _ in mentions(tree)]
        unused = [name for name in self.paths if name not in {mentioned.name for mentioned, _ in named}]
        if unused:
            raise UsageError(f"--leaf names '{unused[0]}', which {where} does not mention; take it out")
        if self.options.weights is not None and not any(name.name in TRAINED for name, _ in named):
            raise UsageError(
                f"--weights was given with an expression that names none of {', '.join(TRAINED)}, whose weights it "
                "replaces; leave it out, or give models of your own by --leaf NAME=PATH"
            )
        for name, text in named:
            if name.name not in self.sources:
                self.sources[name.name] = _located(
                    lambda name=name: open_source(name.name, self.paths, self.options.weights, self.device), name, text
                )
            shape, expected = self.sources[name.name].event_shape, self.first.event_shape
            if shape != expected:
                raise ExpressionError(
                    f"{name.name} has samples of shape {list(shape)} and {next(iter(self.sources))} of "
                    f"{list(expected)}, expected equal shapes; compose models of the same kind of data",
                    text,
                    name.position,
                )

    def request(self, text: str, tree: Node) -> Request:
        """One expression."""
        schedule = _levels(self.first, self.options)
        expression = build(tree, lambda name: self.sources[name.name].leaf(name.condition, schedule), text)
        named = mentions(tree)
        first = named[0][0].name
        conditions: dict[bool, list[str]] = {True: [], False: []}
        for name, wanted in named:
            if name.name == first and name.condition is not None and name.condition not in conditions[wanted]:
                conditions[wanted].append(name.condition)
        # Guidance names a condition on both sides, 4*a[x] - 3*a; what is wanted anywhere is wanted.
        unwanted = [condition for condition in conditions[False] if condition not in conditions[True]]
        return Request(expression, schedule, self.sources[first], str(tree), conditions[True], unwanted)


def _located(make: Callable[[], Source], name: Name, text: str) -> Source:
    try:
        return make()
    except UsageError as error:
        raise ExpressionError(str(error), text, name.position) from error


def _levels(source: Source, options: SampleOptions) -> NoiseSchedule:
    if options.num_levels is None:
        return source.schedule
    if options.num_levels > len(source.schedule):
        raise UsageError(
            f"num_levels is {options.num_levels}, expected at most the {len(source.schedule)} levels that the models "
            "were made for; leave it out to sample on all of them"
        )
    return source.schedule.respace(options.num_levels)


def sampler_options(options: SampleOptions, source: Source) -> SamplerOptions:
    """The sampler that the command line describes, with moves that suit the source where it leaves them open."""
    if options.sampler == "reverse":
        return SamplerOptions(method="reverse", clip_x0=source.clip_x0)
    weighted = options.sampler == "fkc"
    moves = source.moves["ula" if weighted else options.sampler]
    # The weights make moves unnecessary and hold for unclipped steps only.
    steps = 0 if weighted else moves.steps_per_level
    return dataclasses.replace(
        moves,
        method="fkc" if weighted else "reverse-mcmc" if options.ancestral else "annealed",
        steps_per_level=steps if options.steps_per_level is None else options.steps_per_level,
        step_scale=moves.step_scale if options.step_scale is None else options.step_scale,
        line_points=options.line_points,
        first_level=moves.first_level if options.first_level is None else options.first_level,
        last_level=moves.last_level if options.last_level is None else options.last_level,
        clip_x0=None if weighted else source.clip_x0,
    )


@dataclass(frozen=True, eq=False)
class Drawn:
    """All batches together, the same on every process.

    Attributes:
        x: [count, *event].
        acceptance: [levels], mean over samples, NaN where no MCMC ran.
        evaluations: of the composition for each sample.
        non_finite: proposals rejected because they were not finite.
        ess: [levels], effective sample size after each level of a Feynman-Kac population, NaN for other methods.
        resamplings: of such a population.
    """

    x: Float[Tensor, "count *event"]
    acceptance: Float[Tensor, " levels"]
    evaluations: int
    non_finite: int
    ess: Float[Tensor, " levels"]
    resamplings: int


def batch_generator(seed: int, batch: int, device: torch.device) -> torch.Generator:
    """The randomness of one batch: independent streams for different seeds and places."""
    (state,) = np.random.SeedSequence((seed, batch)).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(state))


def draw_batches(request: Request, chosen: SamplerOptions, options: SampleOptions, accelerator: Accelerator) -> Drawn:
    """Draw `options.count` samples, each process its share of the batches, and put them together on all of them.

    Raises:
        UsageError: what `samplers.draw` refuses.
    """
    # The weights of a Feynman-Kac population compare all samples with one another.
    size = options.count if chosen.method == "fkc" else min(options.batch_size, options.count)
    places = [slice(start, min(start + size, options.count)) for start in range(0, options.count, size)]
    mine = range(accelerator.rank, len(places), accelerator.world)
    shape = (options.count, *request.source.event_shape)
    x = torch.zeros(shape, dtype=request.source.dtype, device=accelerator.device)
    counts = torch.zeros(len(places), 3, dtype=torch.int64, device=accelerator.device)
    acceptance = torch.zeros(len(places), len(request.schedule), device=accelerator.device)
    ess = torch.zeros(len(request.schedule), device=accelerator.device)
    with progress.bar(len(request.schedule) * len(mine), "sampling", unit="level") as shown:
        for index in mine:
            generator = batch_generator(options.seed, index, accelerator.device)
            start = torch.randn(x[places[index]].shape, generator=generator, dtype=x.dtype, device=x.device)
            result = draw(
                request.expression, request.schedule, start, chosen, generator, progress=lambda *_: shown.update()
            )
            x[places[index]] = result.x
            population = result.population
            resamplings = 0 if population is None else population.num_resamplings
            counts[index] = torch.tensor([result.gradient_evaluations, result.non_finite, resamplings])
            acceptance[index] = result.acceptance
            ess += torch.nan if population is None else population.ess.to(ess)
    x, counts, acceptance, ess = (accelerator.sum(part).cpu() for part in (x, counts, acceptance, ess))
    shares = torch.tensor([float(place.stop - place.start) for place in places]) / options.count
    evaluations, non_finite, resamplings = counts[:, 0].max(), counts[:, 1].sum(), counts[:, 2].sum()
    return Drawn(x, shares @ acceptance, int(evaluations), int(non_finite), ess, int(resamplings))


def sample_verb(call: Invocation) -> int:
    """The `sample` verb: writes `samples.png`, `samples.npz` and `samples.json`, and says what a judge sees."""
    options: SampleOptions = call.options
    with Accelerator(options) as accelerator:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            request = requested(options, accelerator.device)
        chosen = sampler_options(options, request.source)
        told = f"{options.count} samples by {sampler_name(chosen)}"
        if accelerator.is_main:
            for warning in caught:
                print(f"warning: {warning.message}")
        if options.dry_run:
            if accelerator.is_main:
                print(f"would draw {told}: {request.told}")
            return 0
        if options.compile:
            compile_networks(request.expression)
        with call.open_run(main_process=accelerator.is_main) as run, accelerator.autocast():
            begun = time.perf_counter()
            drawn = draw_batches(request, chosen, options, accelerator)
            seconds = time.perf_counter() - begun
            if accelerator.is_main:
                print(f"{request.told}; {told}")
                _write(run, request, chosen, drawn, seconds)
    return 0


def _write(run: Run, request: Request, chosen: SamplerOptions, drawn: Drawn, seconds: float) -> None:
    """The files of a run, and what a person wants to know of it."""
    network_evaluations = drawn.evaluations * len(request.expression.leaves())
    verdicts = {
        kind: request.source.verdicts(drawn.x, conditions)
        for kind, conditions in (("wanted", request.wanted), ("unwanted", request.unwanted))
        if conditions or (kind == "wanted" and not request.unwanted)
    }
    ran = drawn.acceptance[~drawn.acceptance.isnan()]
    weighed = drawn.ess[~drawn.ess.isnan()]
    picture = run.folder / "samples.png"
    request.source.write_picture(drawn.x, picture)
    arrays = io.BytesIO()
    np.savez_compressed(arrays, samples=drawn.x.numpy())
    write_atomic(run.folder / "samples.npz", arrays.getvalue())
    run.write_json(
        "samples.json",
        {
            "request": request.told,
            "sampler": to_dict(chosen),
            "verdicts": verdicts,
            "acceptance": numbers(drawn.acceptance),
            "effective_sample_size": numbers(drawn.ess),
            "resamplings": drawn.resamplings,
            "non_finite_proposals": drawn.non_finite,
            "network_evaluations": network_evaluations,
            "seconds": round(seconds, 3),
        },
    )
    for kind, verdict in verdicts.items():
        for name, share in verdict.items():
            print(f"{kind}: {name} {share:.1%}")
    if len(ran) and chosen.kernel in ("mala", "hmc"):
        print(f"acceptance: {float(ran.mean()):.3f} on average, {float(ran.min()):.3f} at the worst level")
    if len(weighed):
        print(
            f"effective sample size: {float(weighed.min()):.0f} of {len(drawn.x)} at the worst level; resampled "
            f"{drawn.resamplings} times"
        )
    by_level = {"acceptance": drawn.acceptance, "effective sample size, share": drawn.ess / len(drawn.x)}
    shown = {name: values.numpy() for name, values in by_level.items() if not bool(values.isnan().all())}
    if shown and (len(weighed) or chosen.kernel in ("mala", "hmc")):
        write_figure(run.folder / "levels.png", shares_by_level(shown))
    if drawn.non_finite:
        print(f"{drawn.non_finite} proposals were not finite and were rejected; lower --step-scale")
    print(f"{network_evaluations} network evaluations for each sample, {seconds:.1f} s")
    print(f"picture: {picture}")


def numbers(values: Float[Tensor, " n"], digits: int = 4) -> list[float | None]:
    """As JSON, which knows no NaN, rounded."""
    return [None if value != value else round(value, digits) for value in values.tolist()]


def compile_networks(expression: Expression) -> None:
    """Compile every network that a leaf holds, in place."""
    held = {id(part): part for leaf in expression.leaves() for part in vars(leaf).values()}
    for part in held.values():
        if isinstance(part, nn.Module):
            part.compile()


def sampler_name(options: SamplerOptions) -> str:
    """A sampler in words."""
    if options.method == "reverse":
        return "the reverse process"
    moves = f"{options.steps_per_level} {options.kernel.upper()} moves at each level"
    if options.method == "fkc":
        return f"the Feynman-Kac corrector{f' and {moves}' if options.steps_per_level else ''}"
    return moves if options.method == "annealed" else f"reverse steps and {moves}"
