"""Counts by name."""

from hares.experiments.architecture import parameters


def test_parameters() -> None:
    assert parameters("slowfast-nfnet-f0") == (62_970_654, 3456)
    assert parameters("byola-cnn") == (5_584_000, 2048)
