"""Measurements of the representation are reproduced."""

from onepaper.claims import ClaimContext

from dct_transformer.claims import CLAIMS
from dct_transformer.experiments import codec


def test_lengths() -> None:
    claim = next(claim for claim in CLAIMS if claim.id == "C1")
    assert claim.rule.decide(codec.lengths(ClaimContext(seeds=(0,)))).verdict == "reproduced"
    assert all(image.shape == (64, 64, 3) for image in codec.squares(64).values())
