"""Events of a recording: run lengths with what is needed to place them in time."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Int
from onepaper.errors import UsageError

from slowae_rlt.events.event_rate import average_event_rate
from slowae_rlt.events.run_lengths import Placement, Runs, decode_runs, encode_runs, place_runs

NO_MODEL = bytes(8)


@dataclass(frozen=True, eq=False)
class Events:
    """Values and lengths in the order of start and channel, on a grid of a recording.

    Made by `from_raster`, or by a model. A list without its last events is valid: it describes a shorter raster.
    """

    values: Int[np.ndarray, " n"]
    """levels, -highest to highest"""
    lengths: Int[np.ndarray, " n"]
    """grid steps, 1 to max_length"""
    channels: int
    highest: int
    """k"""
    max_length: int
    stride: int
    """samples of a grid step"""
    sample_rate: int
    samples: int
    """of the recording"""
    model: bytes = NO_MODEL
    """identifies the weights of the encoder"""

    def __post_init__(self) -> None:
        if len(self.values) != len(self.lengths) or len(self.values) < self.channels:
            raise UsageError(
                f"{len(self.values)} values and {len(self.lengths)} lengths, expected the same number and at least one "
                f"for each of {self.channels} channels"
            )
        for name, array, low, high in (
            ("value", self.values, -self.highest, self.highest),
            ("length", self.lengths, 1, self.max_length),
        ):
            wrong = np.flatnonzero((array < low) | (array > high))
            if len(wrong):
                raise UsageError(f"event {wrong[0]} has {name} {array[wrong[0]]}, expected {low} to {high}")

    def __len__(self) -> int:
        return len(self.values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Events):
            return NotImplemented
        return (
            self.header == other.header
            and np.array_equal(self.values, other.values)
            and np.array_equal(self.lengths, other.lengths)
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def header(self) -> tuple[int, int, int, int, int, int, bytes]:
        """All but the events: channels, highest, max_length, stride, sample_rate, samples, model."""
        return (
            self.channels, self.highest, self.max_length, self.stride, self.sample_rate, self.samples, self.model
        )  # fmt: skip

    @classmethod
    def from_raster(
        cls,
        levels: Int[np.ndarray, "T C"],
        *,
        highest: int,
        max_length: int,
        stride: int,
        sample_rate: int,
        samples: int | None = None,
        model: bytes = NO_MODEL,
    ) -> "Events":
        """The events of levels on a grid.

        Args:
            levels: T x C, -highest to highest.
            highest: k.
            max_length: longest event, in steps.
            stride: samples of a step.
            sample_rate: in Hz.
            samples: of the recording; None: of all steps.
            model: identifies the encoder.

        Raises:
            UsageError: no steps, or levels out of range.
        """
        runs = encode_runs(levels, max_length)
        count = len(levels) * stride if samples is None else samples
        if not (len(levels) - 1) * stride < count <= len(levels) * stride:
            raise UsageError(f"{count} samples do not have {len(levels)} steps of {stride}; crop the levels first")
        return cls(runs.values, runs.lengths, levels.shape[1], highest, max_length, stride, sample_rate, count, model)

    @cached_property
    def placement(self) -> Placement:
        """Start and channel of each event."""
        return place_runs(self.lengths, self.channels)

    @property
    def steps(self) -> int:
        """Grid steps that all channels cover."""
        return int(self.placement.ends.min())

    @property
    def grid_rate(self) -> float:
        """Grid steps a second."""
        return self.sample_rate / self.stride

    @property
    def seconds(self) -> float:
        """Duration of the raster."""
        return self.steps / self.grid_rate

    def raster(self) -> Int[np.ndarray, "T C"]:
        """The levels on the grid."""
        return decode_runs(Runs(self.values, self.lengths), self.channels)

    def rate(self) -> float:
        """Average event rate: changes of level a second, without the first event of each channel and without splits."""
        return average_event_rate(self.raster(), self.grid_rate)

    def prefix(self, count: int) -> "Events":
        """The first events, which describe the beginning of the recording.

        Raises:
            UsageError: fewer events than channels, or more than there are.
        """
        if not self.channels <= count <= len(self):
            raise UsageError(f"prefix of {count} events, expected {self.channels} (one a channel) to {len(self)}")
        steps = int(place_runs(self.lengths[:count], self.channels).ends.min())
        return replace(
            self,
            values=self.values[:count],
            lengths=self.lengths[:count],
            samples=min(self.samples, steps * self.stride),
        )

    def crop(self, start: int, stop: int) -> "Events":
        """The events of grid steps `start` to `stop`, encoded again from the raster.

        A slice of the list would not do: its first events start at different times.

        Raises:
            UsageError: no steps in this range.
        """
        if not 0 <= start < stop <= self.steps:
            raise UsageError(f"crop of steps {start} to {stop}, expected a part of 0 to {self.steps}")
        return Events.from_raster(
            self.raster()[start:stop],
            highest=self.highest,
            max_length=self.max_length,
            stride=self.stride,
            sample_rate=self.sample_rate,
            samples=min(stop * self.stride, self.samples) - start * self.stride,
            model=self.model,
        )


def check_model(events: Events, model: bytes) -> None:
    """Raise `UsageError` unless the events are of that model."""
    if events.model != model:
        raise UsageError(
            f"the events are of the model {events.model.hex()}, this one is {model.hex()}; decode with the weights "
            "that encoded them"
        )
