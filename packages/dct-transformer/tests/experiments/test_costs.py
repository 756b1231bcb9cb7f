"""Counted operations of the decoders."""

from onepaper.claims import ClaimContext

from dct_transformer.experiments.costs import decoder_flops


def test_the_cost_of_the_decoders_is_constant() -> None:
    evidence = decoder_flops(ClaimContext(seeds=(0,)))
    assert evidence.measured[0].mean < 0.1
    table = evidence.artifacts[0]
    assert all(float(row[2]) > 0.1 for row in table.rows)  # type: ignore[union-attr]
