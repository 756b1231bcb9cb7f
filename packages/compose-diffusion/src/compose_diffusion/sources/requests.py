"""What is to be drawn: an expression of named models, a canvas of expressions, or digits, as one composition.

A request is built once and can then be drawn by any sampler, `samplers.batches.draw_batches` for example.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from onepaper.errors import UsageError
from torch import Tensor

from compose_diffusion.algebra.composition import Expression
from compose_diffusion.algebra.expression_tree import ExpressionError, Name, Node, mentions
from compose_diffusion.algebra.language import build, parse
from compose_diffusion.algebra.leaves import ExactLeaf
from compose_diffusion.diffusion import NoiseSchedule
from compose_diffusion.models.digit_guidance import guided_by_classifier, guided_by_label
from compose_diffusion.sources.builtin import DigitsSource
from compose_diffusion.sources.canvas import CanvasSource, read_layout
from compose_diffusion.sources.pictures import write_points
from compose_diffusion.sources.registry import TRAINED, open_source
from compose_diffusion.sources.source import Source

# Noise level of the contours in a picture: near zero noise, where a density is still smooth.
PICTURE_LEVEL = 2


@dataclass(frozen=True, eq=False)
class Request:
    """A composition and how its samples are to be read.

    Attributes:
        expression: the composition, on `schedule`.
        schedule: noise levels to sample on.
        source: of the first name, or a canvas; gives the shape of samples, default samplers, pictures and evaluation.
        description: the request in words or as canonical text.
        wanted: conditions that samples should have.
        unwanted: conditions that samples should not have.
    """

    expression: Expression
    schedule: NoiseSchedule
    source: Source
    description: str
    wanted: list[str]
    unwanted: list[str]

    def write_picture(self, x: Float[Tensor, "batch *event"], path: Path) -> None:
        """Write a picture of the samples as a PNG; where the composed density is exact, with its contours."""
        leaves = self.expression.leaves()
        if self.source.event_shape != (2,) or not all(isinstance(leaf, ExactLeaf) for leaf in leaves):
            self.source.write_picture(x, path)
            return
        level = min(PICTURE_LEVEL, len(self.schedule) - 1)

        def log_density(points: Tensor) -> Tensor:
            found = self.expression.evaluate(points, level).log_density
            assert found is not None, "exact leaves have densities"
            return found

        write_points(path, x, log_density)


@dataclass(frozen=True)
class Models:
    """Where the models of a request come from.

    Attributes:
        paths: models outside the package by name, see `sources.registry.open_source`.
        weights: folder of a training run for the package's own networks; by default the shipped weights.
        num_levels: noise levels to sample on, evenly spaced among those of the models; all of them if absent.
        device: where the models are placed.
    """

    paths: Mapping[str, Path]
    weights: Path | None
    num_levels: int | None
    device: torch.device


def digits_request(
    models: Models,
    all_of: Sequence[int],
    none_of: Sequence[int],
    *,
    guidance: float,
    negation: float,
    by: Literal["label", "classifier"],
) -> Request:
    """Images that show all of some digits and none of others, see `guided_by_label` and `guided_by_classifier`.

    Raises:
        UsageError: weights that cannot be read, or more levels than the models have.
    """
    source = DigitsSource(models.weights, models.device)
    schedule = _levels(source, models.num_levels)
    guided = guided_by_label if by == "label" else guided_by_classifier
    expression = guided(source.models, all_of, none_of, weight=guidance, negation=negation, schedule=schedule)
    parts = []
    if all_of:
        parts.append(f"all of {', '.join(map(str, all_of))} (weight {guidance:g})")
    if none_of:
        parts.append(f"none of {', '.join(map(str, none_of))} (weight {negation:g})")
    description = f"{' and '.join(parts)} by {by}" if parts else "any digit"
    return Request(expression, schedule, source, description, [*map(str, all_of)], [*map(str, none_of)])


def expression_request(models: Models, text: str) -> Request:
    """One expression of named models.

    Raises:
        UsageError: see `algebra.language.parse` and `sources.registry.open_source`; models of different data shapes;
            paths or weights of models that the expression does not name.
    """
    tree = parse(text)
    sources = _open_sources(models, [(text, tree)], f"the expression '{text}'")
    return _request(sources, models.num_levels, text, tree)


def canvas_request(models: Models, path: Path) -> Request:
    """A canvas with an expression for each of its regions, read from a JSON file.

    Raises:
        UsageError: as of `expression_request`, `sources.canvas.read_layout` and `CanvasSource`.
    """
    layout = read_layout(path)
    trees = [(region.expression, parse(region.expression)) for region in layout.regions]
    sources = _open_sources(models, trees, str(path))
    requests = [_request(sources, models.num_levels, text, tree) for text, tree in trees]
    source = CanvasSource(
        layout, [request.expression for request in requests], [request.wanted for request in requests], _first(sources)
    )
    description = f"{len(requests)} regions on a canvas of {layout.canvas[0]} x {layout.canvas[1]}"
    wanted = list(dict.fromkeys(condition for request in requests for condition in request.wanted))
    return Request(source.expression, requests[0].schedule, source, description, wanted, [])


def _first(sources: Mapping[str, Source]) -> Source:
    """The source of the first name, which sets noise levels and shape for all."""
    return next(iter(sources.values()))


def _open_sources(models: Models, trees: Sequence[tuple[str, Node]], where: str) -> dict[str, Source]:
    """Every source that `trees` name, opened once; `where` says in messages where the names were found."""
    named = [(name, text) for text, tree in trees for name, _ in mentions(tree)]
    unused = [name for name in models.paths if name not in {mentioned.name for mentioned, _ in named}]
    if unused:
        raise UsageError(f"--leaf names '{unused[0]}', which {where} does not mention; take it out")
    if models.weights is not None and not any(name.name in TRAINED for name, _ in named):
        raise UsageError(
            f"--weights was given with an expression that names none of {', '.join(TRAINED)}, whose weights it "
            "replaces; leave it out, or give models of your own by --leaf NAME=PATH"
        )
    sources: dict[str, Source] = {}
    for name, text in named:
        if name.name not in sources:
            sources[name.name] = _located(
                lambda name=name: open_source(name.name, models.paths, models.weights, models.device), name, text
            )
        shape, expected = sources[name.name].event_shape, _first(sources).event_shape
        if shape != expected:
            raise ExpressionError(
                f"{name.name} has samples of shape {list(shape)} and {next(iter(sources))} of {list(expected)}, "
                "expected equal shapes; compose models of the same kind of data",
                text,
                name.position,
            )
    return sources


def _request(sources: Mapping[str, Source], num_levels: int | None, text: str, tree: Node) -> Request:
    schedule = _levels(_first(sources), num_levels)
    expression = build(tree, lambda name: sources[name.name].leaf(name.condition, schedule), text)
    named = mentions(tree)
    first = named[0][0].name
    conditions: dict[bool, list[str]] = {True: [], False: []}
    for name, wanted in named:
        if name.name == first and name.condition is not None and name.condition not in conditions[wanted]:
            conditions[wanted].append(name.condition)
    # Guidance names a condition on both sides, 4*a[x] - 3*a[x]; what is wanted anywhere is wanted.
    unwanted = [condition for condition in conditions[False] if condition not in conditions[True]]
    return Request(expression, schedule, sources[first], str(tree), conditions[True], unwanted)


def _located(make: Callable[[], Source], name: Name, text: str) -> Source:
    try:
        return make()
    except UsageError as error:
        raise ExpressionError(str(error), text, name.position) from error


def _levels(source: Source, num_levels: int | None) -> NoiseSchedule:
    if num_levels is None:
        return source.schedule
    if num_levels > len(source.schedule):
        raise UsageError(
            f"num_levels is {num_levels}, expected at most the {len(source.schedule)} levels that the models were made "
            "for; leave it out to sample on all of them"
        )
    return source.schedule.respace(num_levels)
