"""Configurations of canvases: size, networks, their training, and the comparisons of samplers."""

from dataclasses import dataclass
from typing import Literal

from onepaper.config import check_between, check_choice, check_non_negative, check_positive
from onepaper.errors import UsageError
from onepaper.optimizer import OptimizerOptions

from compose_diffusion.config.networks import FitConfig, ScheduleConfig

DIGIT_SIZE = 8
# Value of both coordinates of the null position.
NO_POSITION = -1
FORMS = ("score", "energy")
# Network and MCMC kernel after each reverse step; "reverse" has no MCMC.
ARMS = (
    "score/reverse",
    "score/ula",
    "score/uhmc",
    "energy/reverse",
    "energy/ula",
    "energy/mala",
    "energy/uhmc",
    "energy/hmc",
)


@dataclass(frozen=True)
class CanvasConfig:
    """Size of canvases and number of digits.

    At 32 pixels five digits of 8 x 8 cover less than a third of the canvas, and about one in fifteen random
    arrangements has no overlaps; at 24 pixels almost none has.
    """

    size: int = 32
    """height and width in pixels"""
    max_digits: int = 5
    """each canvas shows 1 to this many digits, every number equally often"""

    def __post_init__(self) -> None:
        check_positive("max_digits", self.max_digits)
        if self.size < DIGIT_SIZE:
            raise UsageError(f"canvas size is {self.size}, expected at least {DIGIT_SIZE}, the size of a digit")
        # Above this fraction of the area, random arrangements almost always overlap.
        if self.max_digits > 1 and self.max_digits * DIGIT_SIZE**2 > 0.4 * self.size**2:
            raise UsageError(
                f"{self.max_digits} digits of {DIGIT_SIZE} x {DIGIT_SIZE} pixels on a canvas of size {self.size} cover "
                "more than 40% of it, expected less, for them not to overlap; use a larger canvas or fewer digits"
            )

    @property
    def last_position(self) -> int:
        """The largest column or row at which a digit may begin."""
        return self.size - DIGIT_SIZE


@dataclass(frozen=True)
class PositionNetworkConfig:
    """A U-Net over patches with the position as a mask; `width` sets its size."""

    form: Literal["score", "energy"] = "score"
    """score: the network's output is the predicted noise; energy: its distance to the input is a scalar energy"""
    width: int = 32
    """channels at the patches' resolution"""
    multipliers: tuple[int, ...] = (1, 1)
    """channels at each resolution in multiples of `width`; every entry after the first halves height and width"""
    patch: int = 4
    """side of a patch in pixels, which become channels; half the side costs four times the computation"""
    dropout: float = 0.0
    canvas_size: int = 32
    schedule: ScheduleConfig = ScheduleConfig()
    """noise levels it is trained on; saved with its weights"""

    def __post_init__(self) -> None:
        check_choice("form", self.form, FORMS)
        check_positive("width", self.width)
        if self.width % 8:
            raise UsageError(f"width is {self.width}, expected a multiple of 8, the number of channels in a group")
        if not self.multipliers:
            raise UsageError("multipliers is empty, expected one number for each resolution, e.g. 1 1")
        for multiplier in self.multipliers:
            check_positive("multipliers", multiplier)
        check_positive("patch", self.patch)
        check_between("dropout", self.dropout, 0.0, 0.9)
        factor = self.patch * 2 ** (len(self.multipliers) - 1)
        if self.canvas_size < DIGIT_SIZE or self.canvas_size % factor:
            raise UsageError(
                f"canvas_size is {self.canvas_size}, expected a multiple of {factor} and at least {DIGIT_SIZE}; use "
                "fewer multipliers or another patch"
            )


POSITIONS_OPTIMIZER = OptimizerOptions(
    lr=2e-3,
    betas=(0.9, 0.99),
    weight_decay=0.01,
    decay="matrices",
    clip_norm=1.0,
    schedule="cosine",
    warmup_steps=200,
    ema_decay=0.999,
    ema_warmup=True,
)


@dataclass(frozen=True)
class PositionsConfig:
    """Both networks of canvases, conditioned on the position of one digit, and their training."""

    canvas: CanvasConfig = CanvasConfig()
    score: PositionNetworkConfig = PositionNetworkConfig("score")
    energy: PositionNetworkConfig = PositionNetworkConfig("energy")
    score_fit: FitConfig = FitConfig(steps=3500, batch_size=64, optimizer=POSITIONS_OPTIMIZER)
    energy_fit: FitConfig = FitConfig(steps=3500, batch_size=32, optimizer=POSITIONS_OPTIMIZER)
    unconditional: float = 0.15
    """fraction of training canvases without position, on which the unconditional prediction is learnt"""

    def __post_init__(self) -> None:
        check_between("unconditional", self.unconditional, 0.0, 1.0)
        if self.score.schedule != self.energy.schedule:
            raise UsageError(
                f"score.schedule is {self.score.schedule} and energy.schedule {self.energy.schedule}, expected equal "
                "ones, so that samplers are compared on the same levels"
            )
        for network, form in ((self.score, "score"), (self.energy, "energy")):
            if network.form != form:
                raise UsageError(
                    f"{form}.form is '{network.form}', expected '{form}'; the field's name says which it is"
                )
            if network.canvas_size != self.canvas.size:
                raise UsageError(
                    f"{form}.canvas_size is {network.canvas_size} and canvas.size {self.canvas.size}, expected equal "
                    "sizes; change both"
                )


@dataclass(frozen=True)
class PositionsComparison:
    """Comparison of samplers on canvases with several requested positions (claim C9)."""

    counts: tuple[int, ...] = (1, 2, 3, 4, 5)
    """numbers of positions requested together"""
    arms: tuple[str, ...] = ARMS
    """samplers, see `ARMS`; kernels with a Metropolis test use the energy network"""
    num_images: int = 40
    """for each seed, arm and number of positions"""
    num_levels: int = 50
    """noise levels of the samplers, among those of the networks"""
    weight: float = 1.0
    """w, weight of every position; 1 for the product of conditional densities"""
    langevin_moves: int = 8
    """K of ULA and MALA: MCMC steps after each reverse step, of one evaluation each"""
    hamiltonian_moves: int = 4
    """K of U-HMC and HMC, of three evaluations each"""
    ula_step: float = 0.2
    """of ULA, in units of sigma_t^2; too large for low levels, where its bias is visible"""
    lowest_level: int = 25
    """lowest level with MCMC; by default the upper half of the levels has MCMC, as in the official code"""

    def __post_init__(self) -> None:
        if not self.counts or min(self.counts) < 1 or len(set(self.counts)) != len(self.counts):
            raise UsageError(f"counts are {list(self.counts)}, expected numbers of positions from 1, each once")
        for arm in self.arms:
            check_choice("arm", arm, ARMS)
        check_positive("num_images", self.num_images)
        check_positive("num_levels", self.num_levels)
        check_positive("weight", self.weight)
        check_positive("langevin_moves", self.langevin_moves)
        check_positive("hamiltonian_moves", self.hamiltonian_moves)
        check_positive("ula_step", self.ula_step)
        check_non_negative("lowest_level", self.lowest_level)
        if self.lowest_level >= self.num_levels:
            raise UsageError(f"lowest_level is {self.lowest_level}, expected a level from 0 to {self.num_levels - 1}")


@dataclass(frozen=True)
class WhatWhereComparison:
    """Canvases with requested digits at requested positions, by two separately trained networks (claim C12b)."""

    num_digits: int = 3
    """requested digits on a canvas"""
    num_images: int = 30
    """for each seed and arm"""
    num_levels: int = 50
    """noise levels of the samplers"""
    weight: float = 1.5
    """w, weight of every position"""
    class_weight: float = 1.5
    """v, weight of every class"""
    moves: int = 2
    """K, ULA steps after each reverse step"""
    step_scale: float = 0.05
    """of ULA, in units of sigma_t^2"""

    def __post_init__(self) -> None:
        check_positive("num_digits", self.num_digits)
        check_positive("num_images", self.num_images)
        check_positive("num_levels", self.num_levels)
        check_positive("weight", self.weight)
        check_positive("class_weight", self.class_weight)
        check_positive("moves", self.moves)
        check_positive("step_scale", self.step_scale)


@dataclass(frozen=True)
class TapestryComparison:
    """A tapestry of overlapping regions, each with a requested digit (claim C11)."""

    rows: int = 2
    columns: int = 3
    stride: int = 6
    """pixels between neighbouring regions, which are 8 wide"""
    num_images: int = 30
    """for each seed and arm"""
    num_levels: int = 50
    """noise levels of the samplers"""
    moves: int = 2
    """K, ULA steps after each reverse step"""
    step_scale: float = 0.05
    """of ULA, in units of sigma_t^2"""

    def __post_init__(self) -> None:
        check_positive("rows", self.rows)
        check_positive("columns", self.columns)
        check_between("stride", self.stride, 1, DIGIT_SIZE)
        check_positive("num_images", self.num_images)
        check_positive("num_levels", self.num_levels)
        check_positive("moves", self.moves)
        check_positive("step_scale", self.step_scale)

    @property
    def canvas(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return DIGIT_SIZE + self.stride * (self.rows - 1), DIGIT_SIZE + self.stride * (self.columns - 1)
