"""Lists drawn from a network, chunk by chunk with cached keys and values; what is known may be anywhere in them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from onepaper.config import check_positive
from onepaper.errors import UsageError
from torch import Tensor

from dct_transformer.config import SamplingOptions
from dct_transformer.data.chunks import START_KEY, dense, select
from dct_transformer.models.dct_transformer import Caches, DCTransformer, Memory
from dct_transformer.representation.codec import decode, layout_for
from dct_transformer.representation.triples import Triples, band_of

# A key after every triple of a list.
END_KEY = 2**62
Preview = Callable[[int, list[Triples]], None]


class Known(NamedTuple):
    """What is given of an image to complete."""

    triples: Triples
    """of the list, sorted; each is part of the result"""
    free: Bool[np.ndarray, "positions channels"]
    """pairs whose coefficients are sampled; all others are as in `triples`, or zero"""


@torch.inference_mode()
def sample(
    model: DCTransformer,
    count: int,
    options: SamplingOptions | None = None,
    *,
    seed: int = 0,
    labels: Sequence[int] | None = None,
    known: Sequence[Known] | None = None,
    given: Sequence[Triples] | None = None,
    hints: Sequence[Triples] | None = None,
    preview: Preview | None = None,
) -> list[Triples]:
    """Draw `count` lists; list i depends on (seed, i), not on the others.

    The encoder reads the image so far once for each chunk. Then the three decoders draw a channel, a position and a
    value in turn, only such that the list stays sorted. With `known`, a triple that would come after the next known one
    is replaced by that one.

    Args:
        model: the network.
        count: lists.
        options: temperature and truncation; the distribution of the network by default.
        seed: of all randomness.
        labels: classes of a class-conditional network; without, the unconditional distribution.
        known: what is given of each list.
        given: for colourisation the luma triples of each list.
        hints: for super-resolution the lists of the low-resolution versions.
        preview: called after each chunk with the number of chunks and all lists so far.

    Returns:
        Complete lists, without what is `given`.

    Raises:
        UsageError: options or conditions that do not fit the network, or logits that are not finite.
    """
    options = options or SamplingOptions()
    check_positive("count", count)
    _check(model, count, options, labels, known, given, hints)
    sampler = _Sampler(model, count, options, seed, labels, known, given, hints)
    chunks = 0
    while not sampler.finished:
        sampler.draw_chunk(chunks)
        chunks += 1
        if preview is not None:
            preview(chunks, sampler.lists())
    return sampler.lists()


def _check(
    model: DCTransformer,
    count: int,
    options: SamplingOptions,
    labels: Sequence[int] | None,
    known: Sequence[Known] | None,
    given: Sequence[Triples] | None,
    hints: Sequence[Triples] | None,
) -> None:
    config = model.config
    for name, wanted, found in (
        ("given luma", config.condition == "luma", given),
        ("low-resolution hints", config.condition == "low-resolution", hints),
    ):
        if wanted != (found is not None):
            raise UsageError(f"a network with condition '{config.condition}' takes {'' if wanted else 'no '}{name}")
    for name, values in (("labels", labels), ("known", known), ("given", given), ("hints", hints)):
        if values is not None and len(values) != count:
            raise UsageError(f"{name} has {len(values)} entries, expected {count}, one for each list")
    for label in labels or ():
        if not 0 <= label < config.classes:
            raise UsageError(f"label is {label}, expected 0 to {config.classes - 1}, the classes of the network")
    if options.guidance != 1 and labels is None:
        raise UsageError(f"guidance is {options.guidance}, which needs labels of a class-conditional network")
    if known is not None and config.codec.order == "blocks":
        raise UsageError("order 'blocks' cannot complete images; use a network of another order")


class _Sampler:
    """The state of a batch of lists. Rows are the lists, and with guidance the same again without classes."""

    def __init__(
        self,
        model: DCTransformer,
        count: int,
        options: SamplingOptions,
        seed: int,
        labels: Sequence[int] | None,
        known: Sequence[Known] | None,
        given: Sequence[Triples] | None,
        hints: Sequence[Triples] | None,
    ) -> None:
        self.model, self.options, self.seed = model, options, seed
        device = model.begin.device
        layout, stop = layout_for(model.config), model.legality.stop
        none = model.config.classes
        classes = torch.tensor(labels if labels is not None else [none] * count, device=device)
        self.guided = options.guidance != 1
        self.labels = torch.cat([classes, torch.full_like(classes, none)]) if self.guided else classes
        images = np.zeros((count, layout.num_positions, layout.num_channels), np.int16)
        if given is not None:
            images = np.stack([dense(row, layout) for row in given])
        self.image = torch.as_tensor(images, device=device)
        self.hint = None
        if hints is not None:
            self.hint = torch.as_tensor(np.stack([dense(row, layout) for row in hints]), device=device)
        # The lists so far: channel, position and value of each row, with the stop symbol after the end.
        self.drawn = torch.zeros((3, count, 0), dtype=torch.long, device=device)
        self.key = torch.full((count,), START_KEY, device=device)
        self.done = torch.zeros(count, dtype=torch.bool, device=device)
        self.stop = stop
        self.known = _KnownRows(model, known, layout.num_positions, device) if known is not None else None

    @property
    def finished(self) -> bool:
        """Whether every list has ended."""
        return bool(self.done.all())

    def lists(self) -> list[Triples]:
        """The lists so far."""
        channels, positions, values = self.drawn.cpu().numpy().astype(np.int32)
        ends = np.where((channels == self.stop).any(1), (channels == self.stop).argmax(1), channels.shape[1])
        return [Triples(c[:n], p[:n], v[:n]) for c, p, v, n in zip(channels, positions, values, ends, strict=True)]

    def _twice(self, array: Tensor) -> Tensor:
        return torch.cat([array, array]) if self.guided else array

    def draw_chunk(self, number: int) -> None:
        """Add up to `target` triples to every list."""
        model, config = self.model, self.model.config.chunk
        begin = number * config.target
        first = max(0, begin - config.overlap)
        partial_key = torch.where(self.done, START_KEY, self.key)
        hint = None if self.hint is None else self._twice(self.hint)
        memory = model.encode(self._twice(self.image), self._twice(partial_key), self.labels, hint)
        caches = model.new_caches()
        start = torch.full((len(self.labels),), first, device=self.key.device)
        x = model.beginning(self.labels)
        if begin > first:
            x = self._read_overlap(x, self.drawn[:, :, first:begin], start, memory, caches)
        uniform = self._uniform(number)
        for index in range(config.target):
            triple = self._draw_triple(x, start, memory, caches, uniform[:, index])
            self._append(triple)
            if self.finished:
                return
            x = model.embed_triples(*(self._twice(column[:, None]) for column in triple))

    def _read_overlap(self, x: Tensor, overlap: Tensor, start: Tensor, memory: Memory, caches: Caches) -> Tensor:
        """Fill the caches with the triples before the chunk; the embedding of the last one."""
        model = self.model
        channels, positions, values = (self._twice(column) for column in overlap)
        # Lists that have ended are computed on as any others, and ignored.
        values = torch.where(channels == self.stop, 1, values)
        embedded = model.embed_triples(channels, positions, values)
        h = model.decode_channels(torch.cat([x, embedded[:, :-1]], dim=1), start, memory, caches)
        h = model.decode_positions(h, channels, memory, caches)
        model.decode_values(h, channels, positions, memory, caches)
        return embedded[:, -1:]

    def _uniform(self, number: int) -> Float[Tensor, "batch target 3"]:
        """Random numbers of a chunk, a function of the seed, the row and the chunk."""
        shape = (self.model.config.chunk.target, 3)
        rows = [np.random.default_rng([self.seed, row, number]).random(shape) for row in range(len(self.key))]
        return torch.as_tensor(np.stack(rows)).to(self.key.device)

    def _draw_triple(
        self, x: Tensor, start: Tensor, memory: Memory, caches: Caches, uniform: Float[Tensor, "batch 3"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One triple of each list: channel, position, value."""
        model, legality, known = self.model, self.model.legality, self.known
        late = taken = torch.zeros_like(self.done)
        h = model.decode_channels(x, start, memory, caches)
        legal = legality.channels(self.key) if known is None else known.channels(self.key)
        channels = self._choose(model.channel_head(h), legal, uniform[:, 0])
        if known is not None:
            # In orders that go channel by channel, a later channel means a later triple.
            late = known.is_later_channel(channels)
            channels = torch.where(late, known.rows.channels, channels)
        ended = channels == self.stop
        safe = torch.where(ended, 0, channels)
        h = model.decode_positions(h, self._twice(safe[:, None]), memory, caches)
        legal = legality.positions(safe, self.key) if known is None else known.positions(safe, self.key, late)
        legal[ended] = True
        positions = self._choose(model.position_head(h), legal, uniform[:, 1])
        if known is not None:
            taken = ~ended & (legality.keys(safe, positions) >= known.rows.keys)
            positions = torch.where(taken, known.rows.positions, positions)
        h = model.decode_values(h, self._twice(safe[:, None]), self._twice(positions[:, None]), memory, caches)
        chosen = self._choose(model.value_head(h), legality.value_mask(safe), uniform[:, 2], self.options.top_k)
        values = legality.value_of(chosen)
        if known is not None:
            values = torch.where(taken, known.rows.values, values)
            known.advance(taken)
        return channels, positions, values

    def _choose(
        self, logits: Float[Tensor, "rows 1 choices"], legal: Tensor, uniform: Float[Tensor, " batch"], top_k: int = 0
    ) -> Int[Tensor, " batch"]:
        """Draw from the legal choices by the inverse of the distribution function."""
        logits = logits[:, 0].double()
        if self.guided:
            conditional, unconditional = logits.chunk(2)
            logits = unconditional + self.options.guidance * (conditional - unconditional)
        if not bool(torch.isfinite(logits).all()):
            raise UsageError(
                f"logits of triple {self.drawn.shape[2]} are not finite; use other weights, or less guidance"
            )
        logits = (logits / self.options.temperature).masked_fill(~legal, -torch.inf)
        probabilities = truncate(logits.softmax(dim=-1), top_k, self.options.top_p)
        cumulative = probabilities.cumsum(dim=-1)
        return (cumulative <= uniform[:, None] * cumulative[:, -1:]).sum(dim=-1).clamp(max=logits.shape[-1] - 1)

    def _append(self, triple: tuple[Tensor, Tensor, Tensor]) -> None:
        channels, positions, values = triple
        channels = torch.where(self.done, self.stop, channels)
        self.done = self.done | (channels == self.stop)
        self.drawn = torch.cat([self.drawn, torch.stack([channels, positions, values])[:, :, None]], dim=2)
        active = torch.where(~self.done)[0]
        self.image[active, positions[active], channels[active]] = values[active].to(self.image.dtype)
        keys = self.model.legality.keys(channels.clamp(max=self.stop - 1), positions)
        self.key = torch.where(self.done, self.key, keys)
        if self.options.max_triples and self.drawn.shape[2] >= self.options.max_triples:
            self.done = torch.ones_like(self.done)


def truncate(
    probabilities: Float[Tensor, "*axes choices"], top_k: int = 0, top_p: float = 1.0
) -> Float[Tensor, "*axes choices"]:
    """Zero but for the `top_k` most probable choices and the smallest set with probability `top_p`; not normalised."""
    if 0 < top_k < probabilities.shape[-1]:
        least = probabilities.topk(top_k, dim=-1).values[..., -1:]
        probabilities = probabilities.masked_fill(probabilities < least, 0.0)
    if top_p < 1:
        ordered, order = probabilities.sort(dim=-1, descending=True)
        before = ordered.cumsum(dim=-1) - ordered
        kept = ordered.masked_fill(before >= top_p * ordered.sum(dim=-1, keepdim=True), 0.0)
        probabilities = torch.zeros_like(probabilities).scatter(-1, order, kept)
    return probabilities


class _Next(NamedTuple):
    """The next known triple of each list; its key is `END_KEY` where there is none."""

    channels: Tensor
    positions: Tensor
    values: Tensor
    keys: Tensor


class _KnownRows:
    """Known triples of a batch of lists; `rows` are the next one of each."""

    def __init__(self, model: DCTransformer, known: Sequence[Known], num_positions: int, device: torch.device) -> None:
        self.legality = model.legality
        longest = max(row.triples.length for row in known) + 1
        columns = np.zeros((3, len(known), longest), np.int64)
        keys = np.full((len(known), longest), END_KEY)
        layout = layout_for(model.config)
        for index, row in enumerate(known):
            layout.check(row.triples)
            columns[:, index, : row.triples.length] = np.stack(row.triples)
            keys[index, : row.triples.length] = layout.keys(row.triples.channels, row.triples.positions)
        self.columns = torch.as_tensor(columns, device=device)
        self.keys = torch.as_tensor(keys, device=device)
        has_block = self.legality.has_block[self.legality.plane].T & self.legality.listed
        self.free = torch.as_tensor(np.stack([row.free for row in known]), device=device) & has_block
        self.last_keys = torch.where(self.free, self.legality.all_keys, START_KEY).amax(dim=1)
        self.pointer = torch.zeros(len(known), dtype=torch.long, device=device)
        self.rows = self._next()

    def _next(self) -> _Next:
        channels, positions, values = self.columns.gather(2, self.pointer.expand(3, -1)[:, :, None])[:, :, 0]
        return _Next(channels, positions, values, self.keys.gather(1, self.pointer[:, None])[:, 0])

    def channels(self, previous: Tensor) -> Bool[Tensor, "batch channels_and_stop"]:
        """Channels with a later free position, those of known triples, and the stop symbol."""
        legal = torch.cat([self.last_keys > previous[:, None], torch.ones_like(previous, dtype=torch.bool)[:, None]], 1)
        known = torch.nn.functional.one_hot(self.rows.channels, legal.shape[1]).bool()
        return legal | (known & (self.rows.keys < END_KEY)[:, None])

    def is_later_channel(self, channels: Tensor) -> Bool[Tensor, " batch"]:
        """Whether a channel, or the stop symbol, comes after that of the next known triple."""
        rank = torch.where(
            channels == self.legality.stop, END_KEY, self.legality.rank[channels.clamp(max=self.legality.stop - 1)]
        )
        return (self.rows.keys < END_KEY) & (rank > self.legality.rank[self.rows.channels])

    def positions(
        self, channels: Tensor, previous: Tensor, late: Bool[Tensor, " batch"]
    ) -> Bool[Tensor, "batch positions"]:
        """Free positions of a channel after `previous`; where the known triple is next in it, also its position."""
        rows = self.rows
        every = torch.arange(len(self.legality.all_keys), device=channels.device)
        keys = self.legality.keys(channels[:, None], every)
        free = self.free.gather(2, channels[:, None, None].expand(-1, len(every), 1))[:, :, 0]
        known = (
            (channels == rows.channels)[:, None] & (every == rows.positions[:, None]) & (rows.keys < END_KEY)[:, None]
        )
        return (free & (keys > previous[:, None]) & ~late[:, None]) | known

    def advance(self, taken: Bool[Tensor, " batch"]) -> None:
        """Move on where the known triple was taken."""
        self.pointer = self.pointer + taken.long()
        self.rows = self._next()


def draw_images(
    model: DCTransformer,
    count: int,
    options: SamplingOptions | None = None,
    *,
    seed: int = 0,
    labels: Sequence[int] | None = None,
) -> list[UInt8[np.ndarray, "height width 3"]]:
    """Pictures drawn from a network without a condition but the class."""
    return [pixels(model, triples) for triples in sample(model, count, options, seed=seed, labels=labels)]


def pixels(model: DCTransformer, triples: Triples, given: Triples | None = None) -> UInt8[np.ndarray, "height width 3"]:
    """The pixels of a list of a network, with what was given besides it."""
    config = model.config
    if given is None:
        return decode(triples, config.height, config.width, config.codec)
    return decode(merge(model, triples, given), config.height, config.width, config.codec)


def merge(model: DCTransformer, *parts: Triples) -> Triples:
    """Sorted lists as one sorted list."""
    joined = Triples(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    order = np.argsort(layout_for(model.config).keys(joined.channels, joined.positions), kind="stable")
    return Triples(*(column[order] for column in joined))


def known_bands(model: DCTransformer, triples: Triples, bands: int) -> Known:
    """The coarsest bands of a list, in all planes, as what is known; finer ones are sampled (super-resolution)."""
    check_positive("bands", bands)
    index = np.arange(3 * model.config.codec.block**2) % model.config.codec.block**2
    fine = band_of(index) >= bands
    free = np.broadcast_to(fine, (layout_for(model.config).num_positions, len(fine)))
    return Known(select(triples, ~fine[triples.channels]), free)


def known_luma(model: DCTransformer, triples: Triples) -> Known:
    """The luma of a list as what is known; chroma is sampled (colourisation by an unconditional network)."""
    chroma = np.arange(3 * model.config.codec.block**2) >= model.config.codec.block**2
    free = np.broadcast_to(chroma, (layout_for(model.config).num_positions, len(chroma)))
    return Known(select(triples, ~chroma[triples.channels]), free)


def known_region(model: DCTransformer, triples: Triples, missing: Bool[np.ndarray, "height width"]) -> Known:
    """What a list has in the blocks without missing pixels as what is known; other blocks are sampled (in-painting)."""
    config, layout = model.config, layout_for(model.config)
    if missing.shape != (config.height, config.width):
        raise UsageError(f"the mask has shape {missing.shape}, expected {(config.height, config.width)}")
    free = np.zeros((layout.num_positions, layout.num_channels), bool)
    size = config.codec.block**2
    for plane, (positions, steps) in enumerate(zip(layout.plane_positions, layout.steps, strict=True)):
        rows, columns = np.divmod(positions, layout.grid[1])
        height, width = (config.codec.block * step for step in steps)
        for position, row, column in zip(positions, rows, columns, strict=True):
            top, left = row * config.codec.block, column * config.codec.block
            free[position, plane * size : (plane + 1) * size] = missing[top : top + height, left : left + width].any()
    return Known(select(triples, ~free[triples.positions, triples.channels]), free)
