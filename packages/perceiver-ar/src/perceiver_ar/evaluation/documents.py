"""Scores of documents, with every target counted once, in the units of their codec."""

from collections.abc import Sequence
from typing import NamedTuple

from perceiver_ar.data.corpus import Codec, Documents, Tokens
from perceiver_ar.evaluation.scoring import by_inputs, score, windows
from perceiver_ar.evaluation.units import per_unit
from perceiver_ar.models.perceiver_ar import PerceiverAR


def stride_of(mode: str, latents: int) -> int:
    """Targets that one pass scores in each mode (official code, experiment.py)."""
    return {"incremental": 1, "block": max(1, latents // 2), "strided": latents - max(1, latents // 2) + 1}[mode]


def first_tokens(documents: Documents, most: int) -> list[Tokens]:
    """The first documents with `most` targets in all, the last one truncated; all documents for 0."""
    found: list[Tokens] = []
    left = most or sum(documents.sizes) * 2 + 2 * len(documents)
    for number in range(len(documents)):
        if left <= 0:
            break
        found.append(documents[number][: left + 1])
        left -= len(found[-1]) - 1
    return found


def evaluate_documents(
    model: PerceiverAR,
    codec: Codec,
    documents: Sequence[Tokens],
    *,
    stride: int,
    num_latents: int | None = None,
    context: int | None = None,
    batch_size: int = 8,
) -> dict[str, float]:
    """Nats of all targets of the documents, as means and in the units of the codec.

    Args:
        model: the network.
        codec: of the documents.
        documents: ids that begin with SOS.
        stride: targets that one pass scores; this and the others as for `score`.
        num_latents: N of the evaluation.
        context: the most inputs of a pass.
        batch_size: passes in a batch.
    """
    config = model.config
    nats = score(
        model,
        documents,
        stride=stride,
        num_latents=num_latents,
        context=context,
        coordinates=codec.coordinates if config.needs_coordinates else None,
        batch_size=batch_size,
    )
    total = float(sum(part.sum() for part in nats))
    tokens = sum(len(part) for part in nats)
    amounts: dict[str, float] = {}
    for document in documents:
        for unit, amount in codec.measure(document[1:]).items():
            amounts[unit] = amounts.get(unit, 0.0) + amount
    passes = len(windows([len(part) for part in nats], context or config.context_length, stride))
    found = {"tokens": float(tokens), "passes": float(passes), "nats_per_token": total / tokens}
    found |= per_unit(total, amounts)
    for (low, high), (mean, _) in by_inputs(nats).items():
        found[f"nats_per_token_after_{low}_to_{high - 1}"] = mean
    return found


class Plan(NamedTuple):
    """How documents are scored."""

    latents: int
    stride: int
    context: int


def evaluate_plans(
    model: PerceiverAR, codec: Codec, documents: Sequence[Tokens], plans: Sequence[Plan], passes_at_once: int = 8
) -> dict[str, dict[str, float]]:
    """`evaluate_documents` for each plan, by its description."""
    return {
        f"{plan.latents} latents, stride {plan.stride}, context {plan.context}": evaluate_documents(
            model,
            codec,
            documents,
            stride=plan.stride,
            num_latents=plan.latents,
            context=plan.context,
            batch_size=passes_at_once,
        )
        for plan in plans
    }
