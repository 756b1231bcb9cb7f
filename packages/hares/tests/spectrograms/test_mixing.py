"""Ratios have the Beta distribution; partners are others."""

import torch
from scipy import stats

from hares.spectrograms.mixing import draw_partners, draw_ratios, mix


def test_ratios() -> None:
    ratios = draw_ratios(4000, 5.0, 2.0, torch.Generator().manual_seed(0), torch.device("cpu"))
    assert stats.kstest(ratios.numpy(), stats.beta(5, 2).cdf).pvalue > 0.01


def test_partners_are_others_and_uniform() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.stack([draw_partners(4, generator, torch.device("cpu")) for _ in range(3000)])
    assert not (drawn == torch.arange(4)).any()
    counts = torch.bincount(drawn[:, 0], minlength=4)[1:]
    assert stats.chisquare(counts.numpy()).pvalue > 0.01


def test_mix() -> None:
    mixed = mix(torch.tensor([[1.0], [3.0]]), torch.tensor([1, 0]), torch.tensor([0.75, 1.0]))
    assert mixed.tolist() == [[1.5], [3.0]]
