"""Options of the verbs as data; those of `sample` are `config.SampleOptions`, which the sampling code takes too."""

from dataclasses import dataclass

from onepaper.config import check_positive
from onepaper.errors import UsageError
from onepaper.paper import VerbOptions


@dataclass(frozen=True)
class SimulateOptions(VerbOptions):
    """Options of `simulate`: forward trajectories on the simplex."""

    alpha: tuple[float, ...] = (1.0, 1.0, 1.0)
    """stationary shape of each category; three make a ternary plot"""
    token: int = 0
    """token that trajectories start from"""
    mass: float = 1.0
    """s, initial value of the coordinate of the token"""
    speed: float = 1.0
    """b, speed of the process"""
    time: float = 4.0
    """end of the trajectories"""
    steps: int = 400
    """exact transitions, one point of a path each"""
    paths: int = 6
    """number of trajectories"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.alpha) < 2:
            raise UsageError(f"alpha has {len(self.alpha)} entries, expected at least 2 categories")
        for value in self.alpha:
            check_positive("alpha", value)
        if not 0 <= self.token < len(self.alpha):
            raise UsageError(f"token {self.token} does not exist, expected 0 to {len(self.alpha) - 1}")
        for name in ("mass", "speed", "time", "steps", "paths"):
            check_positive(name, getattr(self, name))


@dataclass(frozen=True)
class RankLawOptions(VerbOptions):
    """Options of `rank-law`."""

    categories: tuple[int, ...] = (27, 256, 1000, 32_000)
    """numbers of categories n, one block of rows each"""
    snr: tuple[float, ...] = (5.0, 10.0, 20.0, 40.0)
    """signal-to-noise ratios m, one row each"""
    a: float = 1.0
    """shape of the stationary Gamma distribution of every coordinate"""

    def __post_init__(self) -> None:
        super().__post_init__()
        for number in self.categories:
            if number < 2:
                raise UsageError(f"categories has {number}, expected at least 2")
        for value in (*self.snr, self.a):
            check_positive("snr and a", value)


@dataclass(frozen=True)
class VerifyOptions(VerbOptions):
    """Options of `verify`: every closed form against an independent computation."""


@dataclass(frozen=True)
class EvaluateOptions(VerbOptions):
    """Options of `evaluate`."""

    weights: str = ""
    """a network that ships with the package, on its own data, or the folder of a training run, on those of --preset and
    --data; without it: samplers on an exact posterior, or the network of --preset"""
    count: int = 2000
    """test sequences for the bound, and samples"""
    points: int = 128
    """SNRs for each sequence"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("count", self.count)
        check_positive("points", self.points)
