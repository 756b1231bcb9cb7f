"""What a claim's function returns: measured numbers with their intervals, and things to look at or listen to."""

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from onepaper.config import unknown
from onepaper.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from onepaper.claims.statistics import Interval

CONFIDENCE = 0.95
ArmResult = dict[str, Any]
"""What an arm gives: names to numbers, text, bytes, numeric arrays, or lists and dictionaries of them."""


@dataclass(frozen=True)
class Cost:
    """What a piece of work took: seconds, and the peak memory in bytes of the process that did it."""

    seconds: float = 0.0
    peak: int = 0

    def and_then(self, other: "Cost") -> "Cost":
        """The cost of both, one after the other."""
        return Cost(self.seconds + other.seconds, max(self.peak, other.peak))


@dataclass(frozen=True)
class Measurement:
    """One measured quantity. Made by `over_seeds`, `exact` or `over_examples`.

    `exact` is a deterministic computation without randomness: a number, no interval. `examples` is one run measured on
    many examples, with a bootstrap interval: `Below`, `Above` and `Within` accept it and say so in their reason;
    rules that compare two arms across seeds refuse it.
    """

    name: str
    kind: Literal["seeds", "exact", "examples"]
    values: tuple[float, ...]
    unit: str = ""
    seeds: tuple[int, ...] = ()

    @classmethod
    def over_seeds(cls, name: str, values: Mapping[int, float], unit: str = "") -> Self:
        """One value per seed: the repetition that a verdict across seeds rests on."""
        if not values:
            raise UsageError(f"measurement '{name}' has no seeds, expected at least one")
        seeds = tuple(sorted(values))
        return cls(name, "seeds", tuple(float(values[seed]) for seed in seeds), unit, seeds)

    @classmethod
    def exact(cls, name: str, value: float, unit: str = "") -> Self:
        """A deterministic computation: the same number on every run."""
        return cls(name, "exact", (float(value),), unit)

    @classmethod
    def over_examples(cls, name: str, values: Iterable[float], unit: str = "", seed: int = 0) -> Self:
        """One value per example of one run (made with `seed`), with a bootstrap interval of the mean."""
        kept = tuple(float(value) for value in values)
        if not kept:
            raise UsageError(f"measurement '{name}' has no examples, expected at least one")
        return cls(name, "examples", kept, unit, (seed,))

    @property
    def mean(self) -> float:
        """Mean over seeds or examples; NaN if any value is."""
        return math.fsum(self.values) / len(self.values) if not self.has_nan else math.nan

    @property
    def low(self) -> float:
        """Low end of the 95% interval."""
        return self.interval().low

    @property
    def high(self) -> float:
        """High end of the 95% interval."""
        return self.interval().high

    @property
    def has_nan(self) -> bool:
        """Whether any value is not a number: such a measurement decides nothing."""
        return any(math.isnan(value) for value in self.values)

    def interval(self, confidence: float = CONFIDENCE) -> "Interval":
        """The mean with its interval; NaN ends where one seed gives none."""
        return _interval(self.kind, self.values, self.seeds, confidence)

    def minus(self, other: "Measurement") -> "Measurement":
        """The difference, paired by seed; an exact number counts as the same for every seed.

        Raises:
            UsageError: the seeds differ, or a side is measured over examples.
        """
        name = f"{self.name} - {other.name}"
        for side in (self, other):
            if side.kind == "examples":
                raise UsageError(
                    f"'{side.name}' is measured over examples, expected seeds or an exact number; "
                    "measure the difference per example and decide on it with Above or Below"
                )
        if self.kind == other.kind == "exact":
            return Measurement.exact(name, self.values[0] - other.values[0], self.unit)
        if self.kind == other.kind and self.seeds != other.seeds:
            raise UsageError(f"'{self.name}' has seeds {self.seeds}, '{other.name}' {other.seeds}; pairs need the same")
        seeds = self.seeds or other.seeds
        left, right = (side.values * len(seeds) if side.kind == "exact" else side.values for side in (self, other))
        return Measurement.over_seeds(
            name, {seed: a - b for seed, a, b in zip(seeds, left, right, strict=True)}, self.unit
        )

    def basis(self) -> str:
        """What the interval runs over, in words."""
        if self.kind == "exact":
            return "exact"
        if self.kind == "examples":
            return f"bootstrap over {len(self.values):,} examples of one run"
        return f"{len(self.seeds)} seed{'s' if len(self.seeds) != 1 else ''}"

    def __str__(self) -> str:
        ends = (math.nan, math.nan) if self.kind == "exact" else (self.low, self.high)
        return f"{self.name} {format_value(self.mean, *ends, self.unit)} ({self.basis()})"


@functools.lru_cache(maxsize=256)
def _interval(kind: str, values: tuple[float, ...], seeds: tuple[int, ...], confidence: float) -> "Interval":
    from onepaper.claims.statistics import Interval, bootstrap_interval, student_t_interval

    if any(math.isnan(value) for value in values):
        return Interval(math.nan, math.nan, math.nan)
    if kind == "exact":
        return Interval(values[0], values[0], values[0])
    if kind == "examples":
        return bootstrap_interval(values, seed=seeds[0], confidence=confidence)
    return student_t_interval(values, confidence)


def format_value(mean: float | None, low: float | None = None, high: float | None = None, unit: str = "") -> str:
    """A number with the digits its interval supports: `0.641 nats [0.612, 0.670]`; four digits where there is none."""
    if mean is None or math.isnan(mean):
        return "not a number"
    ends = () if low is None or high is None or math.isnan(low + high) else (low, high)
    half_width = (ends[1] - ends[0]) / 2 if ends else 0.0
    largest = max(abs(mean), *map(abs, ends)) if ends else abs(mean)
    if not math.isfinite(largest) or (largest and not 1e-4 <= largest < 1e6):
        shown = [f"{number:.3g}" for number in (mean, *ends)]
    else:
        # Two digits of the half width; without an interval four digits in all.
        digits = 1 - math.floor(math.log10(half_width)) if half_width else 3 - math.floor(math.log10(largest or 1))
        shown = [f"{number:,.{min(max(digits, 0), 7)}f}" for number in (mean, *ends)]
        if not half_width and "." in shown[0]:
            shown = [number.rstrip("0").rstrip(".") for number in shown]
    interval = f" [{shown[1]}, {shown[2]}]" if half_width else ""
    return f"{shown[0]}{'' if unit in ('', '%') else ' '}{unit}{interval}"


@dataclass(frozen=True)
class Plot:
    """A figure made with `matplotlib.figure.Figure`: SVG, or PNG where it holds `clouds` of points or images."""

    title: str
    figure: "Figure"
    caption: str = ""
    clouds: bool = False


@dataclass(frozen=True)
class ImageGrid:
    """Images of shape `[n, h, w]` or `[n, h, w, 3]` with values in [0, 1], shown `upscale` times as large."""

    title: str
    images: "np.ndarray"
    labels: Sequence[str] = ()
    columns: int = 8
    upscale: int = 1
    caption: str = ""

    def __post_init__(self) -> None:
        shape = self.images.shape
        if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] != 3) or 0 in shape:
            raise UsageError(f"images of '{self.title}' have shape {shape}, expected [n, h, w] or [n, h, w, 3]")
        low, high = float(self.images.min()), float(self.images.max())
        if not (low >= -1e-6 and high <= 1 + 1e-6):
            raise UsageError(f"images of '{self.title}' range from {low:.3g} to {high:.3g}, expected values in [0, 1]")
        if self.labels and len(self.labels) != shape[0]:
            raise UsageError(f"'{self.title}' has {len(self.labels)} labels for {shape[0]} images")
        if self.columns < 1 or self.upscale < 1:
            raise UsageError(f"'{self.title}': columns and upscale are {self.columns}, {self.upscale}, expected >= 1")


@dataclass(frozen=True)
class Sound:
    """Samples of shape `[n]` or `[n, channels]`, full scale +-1 (louder is clipped), at `sample_rate` hertz."""

    title: str
    samples: "np.ndarray"
    sample_rate: int
    caption: str = ""

    def __post_init__(self) -> None:
        shape = self.samples.shape
        if len(shape) not in (1, 2) or 0 in shape or (len(shape) == 2 and shape[1] > 8):
            raise UsageError(f"sound '{self.title}' has shape {shape}, expected [n] or [n, channels]")
        if not math.isfinite(float(self.samples.min()) + float(self.samples.max())):
            raise UsageError(f"sound '{self.title}' holds values that are not finite")


@dataclass(frozen=True)
class Table:
    """A table; cells are text or numbers."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str | float]]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.header):
                raise UsageError(f"table '{self.title}' has {len(row)} cells under {len(self.header)} headings")


@dataclass(frozen=True)
class Note:
    """A paragraph for the reader."""

    text: str


Artifact = Plot | ImageGrid | Sound | Table | Note


@dataclass(frozen=True)
class Evidence:
    """What a claim's function returns: one line, the numbers the rule reads, and things to look at or listen to.

    An empty `headline` becomes the measured numbers.
    """

    headline: str
    measured: Sequence[Measurement]
    artifacts: Sequence[Artifact] = ()

    def __post_init__(self) -> None:
        names = [measurement.name for measurement in self.measured]
        for name in names:
            if names.count(name) > 1:
                raise UsageError(f"measurement '{name}' is there twice, expected one of each name")

    def measurement(self, name: str) -> Measurement:
        """The measurement of that name.

        Raises:
            UsageError: there is none; the message names it.
        """
        for measurement in self.measured:
            if measurement.name == name:
                return measurement
        raise UsageError(unknown("measurement", name, [measurement.name for measurement in self.measured]))
