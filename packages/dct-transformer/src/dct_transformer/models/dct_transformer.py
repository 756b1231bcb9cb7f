"""The network: encoder of the partial DCT image, decoders of channels, positions and values (paper, section 3)."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float, Int
from onepaper.errors import UsageError
from torch import Tensor, nn

from dct_transformer.config import ModelConfig
from dct_transformer.data.chunks import Chunk
from dct_transformer.models.layers import KeyValues, Stack
from dct_transformer.models.legality import Legality
from dct_transformer.representation.codec import bounds_of, layout_for, listed_channels

# The index at which a chunk starts enters by its magnitude: 0, 1, 2 to 3, 4 to 7, ...
START_BINS = 24
EMBEDDING_SCALE = 0.02


class Nats(NamedTuple):
    """Negative log-likelihoods, 0 where nothing is counted."""

    channels: Float[Tensor, "batch length"]
    positions: Float[Tensor, "batch length"]
    values: Float[Tensor, "batch length"]

    def total(self) -> Float[Tensor, "batch length"]:
        """Of the triples."""
        return self.channels + self.positions + self.values


class Memory(NamedTuple):
    """The encoder's output: keys and values for the blocks of the decoders, and features at each position."""

    channels: list[tuple[Tensor, Tensor]]
    positions: list[tuple[Tensor, Tensor]]
    values: list[tuple[Tensor, Tensor]]
    at_positions: Float[Tensor, "batch positions dim"]


class Caches(NamedTuple):
    """Keys and values of the three decoders while a chunk is sampled."""

    channels: list[KeyValues]
    positions: list[KeyValues]
    values: list[KeyValues]

    @property
    def length(self) -> int:
        """Number of elements that the decoders have read."""
        return self.channels[0].used


class DCTransformer(nn.Module):
    r"""$p(t_1, ..., t_L) = \prod_l p(c_l | t_{<l})\, p(p_l | c_l, t_{<l})\, p(v_l | c_l, p_l, t_{<l})$ in chunks.

    Args:
        config: the architecture, with the codec and the size of the images; kept as `config`.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        layout = layout_for(config)
        self.grid = layout.grid
        self.legality = Legality(layout, bounds_of(config), listed_channels(config))
        dim, values = config.dim, 2 * self.legality.limit
        channels, positions = layout.num_channels, layout.num_positions

        self.tokens_grid = tuple(-(-size // config.stride) for size in layout.grid)
        features = channels * config.stride**2 * (2 if config.visited else 1)
        self.embed_cells = nn.Linear(features, dim)
        self.embed_hint = nn.Linear(channels * config.stride**2, dim) if config.condition == "low-resolution" else None
        self.row, self.column = (nn.Parameter(torch.zeros(size, dim)) for size in self.tokens_grid)
        self.embed_class = nn.Embedding(config.classes + 1, dim) if config.classes else None
        self.embed_channel = nn.Embedding(channels, dim)
        self.embed_position = nn.Embedding(positions, dim)
        self.embed_value = nn.Embedding(values, dim)
        self.embed_index = nn.Embedding(config.chunk.length, dim)
        self.embed_start = nn.Embedding(START_BINS, dim)
        self.begin = nn.Parameter(torch.zeros(dim))

        def stack(layers: tuple[int, ...], *, decoder: bool) -> Stack:
            return Stack(dim, config.heads, layers, config.dropout, rezero=config.rezero, decoder=decoder)

        self.encoder = stack(config.encoder, decoder=False)
        self.channel_decoder = stack(config.channel_decoder, decoder=True)
        self.position_decoder = stack(config.position_decoder, decoder=True)
        self.value_decoder = stack(config.value_decoder, decoder=True)
        self.encoder_norm = nn.LayerNorm(dim)
        self.channel_head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, channels + 1))
        self.position_head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, positions))
        self.value_head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, values))
        self._initialize()

    def _initialize(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=EMBEDDING_SCALE)
        for parameter in (self.row, self.column, self.begin):
            nn.init.normal_(parameter, std=EMBEDDING_SCALE)
        for head in (self.channel_head, self.position_head, self.value_head):
            nn.init.normal_(head[1].weight, std=EMBEDDING_SCALE)  # type: ignore[arg-type]

    def encode(
        self,
        partial: Int[Tensor, "batch positions channels"],
        partial_key: Int[Tensor, " batch"],
        labels: Int[Tensor, " batch"],
        hint: Int[Tensor, "batch positions channels"] | None = None,
    ) -> Memory:
        """Read a partial DCT image; arguments as in `Chunk`.

        Coefficients enter by sign and logarithm of their size, with a mask of those that the list has passed.
        """
        inputs = [_compress(partial)]
        if self.config.visited:
            passed = self.legality.all_keys <= partial_key[:, None, None]
            inputs.append((passed | ~self.legality.listed).to(inputs[0].dtype).expand_as(inputs[0]))
        if not self.config.encoder_input:
            inputs = [torch.zeros_like(array) for array in inputs]
        tokens = self.embed_cells(self._cells(torch.cat(inputs, dim=-1)))
        if self.embed_hint is not None:
            if hint is None:
                raise UsageError("this network is conditioned on a low-resolution image; give its DCT image as `hint`")
            tokens = tokens + self.embed_hint(self._cells(_compress(hint)))
        tokens = tokens + rearrange(self.row[:, None] + self.column[None], "r c d -> (r c) d")
        if self.embed_class is not None:
            tokens = tokens + self.embed_class(labels)[:, None]
        encoded = self.encoder_norm(self.encoder(tokens))
        by_token = rearrange(encoded, "b (r c) d -> b r c d", r=self.tokens_grid[0])
        spread = by_token.repeat_interleave(self.config.stride, 1).repeat_interleave(self.config.stride, 2)
        at_positions = spread[:, : self.grid[0], : self.grid[1]].flatten(1, 2)
        decoders = (self.channel_decoder, self.position_decoder, self.value_decoder)
        channels, positions, values = (decoder.memories(encoded) for decoder in decoders)
        return Memory(channels, positions, values, at_positions)

    def _cells(self, image: Tensor) -> Tensor:
        """[B, P, F] to [B, M, stride^2 F]: cells of the grid grouped into tokens."""
        stride = self.config.stride
        grid = rearrange(image, "b (r c) f -> b r c f", r=self.grid[0])
        missing = [size * stride - cells for size, cells in zip(self.tokens_grid, self.grid, strict=True)]
        grid = F.pad(grid, (0, 0, 0, missing[1], 0, missing[0]))
        return rearrange(grid, "b (r y) (c x) f -> b (r c) (y x f)", y=stride, x=stride)

    def new_caches(self) -> Caches:
        """Empty caches for one chunk."""
        decoders = (self.channel_decoder, self.position_decoder, self.value_decoder)
        return Caches(*([KeyValues(self.config.chunk.length) for _ in stack.blocks] for stack in decoders))

    def embed_triples(
        self, channels: Int[Tensor, "batch length"], positions: Tensor, values: Tensor
    ) -> Float[Tensor, "batch length dim"]:
        """Sum of the three embeddings; the stop symbol and what follows it may have any."""
        return (
            self.embed_channel(channels.clamp(max=self.legality.num_channels - 1))
            + self.embed_position(positions)
            + self.embed_value(self.legality.value_index(values).clamp(0, 2 * self.legality.limit - 1))
        )

    def beginning(self, labels: Int[Tensor, " batch"]) -> Float[Tensor, "batch 1 dim"]:
        """The input before the first triple of a sequence."""
        begin = self.begin.expand(len(labels), 1, -1)
        return begin if self.embed_class is None else begin + self.embed_class(labels)[:, None]

    def decode_channels(
        self, x: Float[Tensor, "batch length dim"], start: Int[Tensor, " batch"], memory: Memory,
        caches: Caches | None = None,
    ) -> Float[Tensor, "batch length dim"]:  # fmt: skip
        """Features of the channel decoder, from the embeddings of the triples before."""
        begin = caches.length if caches is not None else 0
        index = torch.arange(begin, begin + x.shape[1], device=x.device)
        magnitude = torch.log2((start + 1).double()).ceil().long().clamp(max=START_BINS - 1)
        x = x + self.embed_index(index) + self.embed_start(magnitude)[:, None]
        return self.channel_decoder(x, memory.channels, caches and caches.channels)

    def decode_positions(
        self, h: Float[Tensor, "batch length dim"], channels: Int[Tensor, "batch length"], memory: Memory,
        caches: Caches | None = None,
    ) -> Float[Tensor, "batch length dim"]:  # fmt: skip
        """Features of the position decoder, from those of the channel decoder and the channels."""
        x = h + self.embed_channel(channels.clamp(max=self.legality.num_channels - 1))
        return self.position_decoder(x, memory.positions, caches and caches.positions)

    def decode_values(
        self, h: Float[Tensor, "batch length dim"], channels: Int[Tensor, "batch length"], positions: Tensor,
        memory: Memory, caches: Caches | None = None,
    ) -> Float[Tensor, "batch length dim"]:  # fmt: skip
        """Features of the value decoder: it also reads the encoder's output at the chosen position."""
        gathered = memory.at_positions.gather(1, positions[..., None].expand(-1, -1, h.shape[-1]))
        x = h + self.embed_position(positions) + gathered
        x = x + self.embed_channel(channels.clamp(max=self.legality.num_channels - 1))
        return self.value_decoder(x, memory.values, caches and caches.values)

    def forward(self, chunk: Chunk) -> Nats:
        """Negative log-likelihoods of the counted elements of a batch of chunks, in nats."""
        legality = self.legality
        memory = self.encode(chunk.partial, chunk.partial_key, chunk.labels, chunk.hint)
        before = self.embed_triples(chunk.channels[:, :-1], chunk.positions[:, :-1], chunk.values[:, :-1])
        x = torch.cat([self.beginning(chunk.labels).to(before.dtype), before], dim=1)
        # The stop symbol has no position and value.
        triple = chunk.counted & (chunk.channels < legality.stop)
        channels = chunk.channels.clamp(max=legality.num_channels - 1)
        keys = legality.keys(channels, chunk.positions)
        previous = torch.cat([chunk.first_key[:, None], keys[:, :-1]], dim=1)

        h = self.decode_channels(x, chunk.start, memory)
        channel_nats = masked_nats(self.channel_head(h), legality.channels(previous), chunk.channels, chunk.counted)
        h = self.decode_positions(h, channels, memory)
        position_nats = masked_nats(
            self.position_head(h), legality.positions(channels, previous), chunk.positions, triple
        )
        h = self.decode_values(h, channels, chunk.positions, memory)
        value_nats = masked_nats(
            self.value_head(h), legality.value_mask(channels), legality.value_index(chunk.values), triple
        )
        return Nats(channel_nats, position_nats, value_nats)


def masked_nats(
    logits: Float[Tensor, "batch length choices"],
    legal: Bool[Tensor, "batch length choices"],
    targets: Int[Tensor, "batch length"],
    counted: Bool[Tensor, "batch length"],
) -> Float[Tensor, "batch length"]:
    """Cross-entropy among the legal choices, 0 where it is not counted."""
    # Padding has no legal choice; without a mask its gradient is finite, and then multiplied by 0.
    legal = legal | ~counted[..., None]
    scores = logits.float().masked_fill(~legal, -torch.inf)
    targets = torch.where(counted, targets, 0)
    nats = F.cross_entropy(scores.flatten(0, 1), targets.flatten(), reduction="none")
    return torch.where(counted, nats.view(targets.shape), 0.0)


def _compress(coefficients: Tensor) -> Tensor:
    """Sign and logarithm of integers."""
    x = coefficients.to(torch.get_default_dtype())
    return x.sign() * x.abs().log1p()
