"""A network of lists of triples beside models of other sequences of the same pictures, trained alike."""

from dataclasses import replace
from typing import Any, Literal

from onepaper.claims import ClaimContext, Evidence, Measurement, Table
from torch import nn

from dct_transformer.baselines import score_baseline, train_baseline
from dct_transformer.config import BaselineConfig, ChunkConfig, CodecConfig, ExperimentConfig, ModelConfig
from dct_transformer.data.examples import centre_examples
from dct_transformer.data.images import open_images
from dct_transformer.evaluation.exact_likelihood import likelihood
from dct_transformer.models.counts import CountModel
from dct_transformer.training import train

Tokens = Literal["pixels", "jpeg-bytes", "codes"]
# JPEG files have blocks of 8; most lists are of one or two chunks.
LISTS = ModelConfig(
    codec=CodecConfig(),
    chunk=ChunkConfig(96, 16),
    dim=64,
    encoder=(1,),
    channel_decoder=(1,),
    position_decoder=(1,),
    value_decoder=(1, 1),
)
STEPS, BATCH = 500, 16


def list_bits(seed: int) -> dict[str, Any]:
    """Bits of each held-out stamp, of a network of lists after a training, and of count models."""
    base = ExperimentConfig()
    config = replace(base, model=LISTS, batch_size=BATCH, loop=replace(base.loop, steps=STEPS))
    images = open_images(config.data, config.model.height, config.model.width)
    training, held_out = (centre_examples(images.part(held_out=part), config.model) for part in (False, True))
    model = train(config, seed=seed, images=images)
    found = {"lists": likelihood(model, held_out)}
    lists = [example.triples for example in held_out]
    for name, order in (("unigrams", 1), ("bigrams", 2)):
        found[name] = CountModel(config.model, order).fit([example.triples for example in training]).likelihood(lists)
    bits: dict[str, Any] = {name: own.bits for name, own in found.items()}
    return bits | {"tokens": found["lists"].lengths, "parameters": float(_count(model))}


def token_bits(tokens: Tokens, seed: int) -> dict[str, Any]:
    """Bits of each held-out stamp after the training of a baseline, tokens, and the PSNR of what they keep."""
    base = BaselineConfig(tokens=tokens)
    config = replace(base, batch_size=BATCH, loop=replace(base.loop, steps=STEPS))
    images = open_images(config.data, config.height, config.width)
    baseline = train_baseline(config, seed=seed, images=images)
    scores = score_baseline(baseline, images.part(held_out=True))
    return {
        "bits": scores.bits,
        "tokens": scores.lengths,
        "psnr": scores.psnr,
        "parameters": float(_count(baseline.model)),
    }


def _count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def bits_of_pictures(context: ClaimContext) -> Evidence:
    """Bits that lists save for each held-out picture against pixels and JPEG bytes of the same coded picture."""
    (seed,) = context.seeds
    lists = context.arm(f"lists {LISTS} {STEPS}", seed, lambda: list_bits(seed))
    kinds: tuple[Tokens, ...] = ("pixels", "jpeg-bytes", "codes")
    found = {kind: context.arm(f"{kind} {STEPS}", seed, lambda kind=kind: token_bits(kind, seed)) for kind in kinds}
    quality = found["pixels"]["psnr"]  # of the coded pictures, which lists and files keep as well
    rows = [
        ("triples, Transformer", lists["lists"], lists["tokens"], quality, f"{lists['parameters']:,.0f}"),
        ("triples, bigrams", lists["bigrams"], lists["tokens"], quality, ""),
        ("triples, unigrams", lists["unigrams"], lists["tokens"], quality, ""),
    ]
    rows += [
        (kind, own["bits"], own["tokens"], own["psnr"], f"{own['parameters']:,.0f}") for kind, own in found.items()
    ]
    length = found["jpeg-bytes"]["tokens"] - 1  # without the stop token
    rows.append(("JPEG file without header", 8 * length, length, quality, ""))
    table = [
        (name, f"{bits.mean():,.0f}", f"{tokens.mean():.0f}", f"{psnr:.2f}", parameters)
        for name, bits, tokens, psnr, parameters in rows
    ]
    return Evidence(
        "",
        [
            Measurement.over_examples(f"bits saved against {name}", found[kind]["bits"] - lists["lists"], seed=seed)
            for kind, name in (("pixels", "pixels"), ("jpeg-bytes", "JPEG bytes"))
        ],
        [Table("Held-out stamps", ("sequence", "bits an image", "tokens", "PSNR (dB)", "parameters"), table)],
    )
