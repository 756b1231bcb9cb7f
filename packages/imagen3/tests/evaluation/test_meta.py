"""Verdicts and agreements by hand, and table 6 of the paper as arithmetic."""

import numpy as np
import pytest
from onepaper.errors import OnePaperError, UsageError
from scipy.stats import beta, wilcoxon

from imagen3.evaluation import meta


def test_human_verdicts() -> None:
    assert meta.human_verdict(550, 450) == "first"
    assert meta.human_verdict(450, 550) == "second"
    assert meta.human_verdict(520, 480) == "tie"
    # The half width of 1,000 votes without ties is 3.1 points; ties narrow it.
    assert meta.human_verdict(530, 470) == "tie"
    assert meta.human_verdict(30, 1, 970) == "first"
    assert meta.human_verdict(5, 0) == "first"
    for votes in ((0, 0, 0), (-1, 2, 0)):
        with pytest.raises(UsageError, match="expected numbers of at least 0"):
            meta.human_verdict(*votes)


def test_metric_verdicts() -> None:
    generator = np.random.default_rng(0)
    base = generator.random(200)
    assert meta.metric_verdict(base + 0.05 * generator.random(200), base) == "first"
    assert meta.metric_verdict(base, base + 0.05 * generator.random(200)) == "second"
    assert meta.metric_verdict(base, base) == "tie"
    # One large difference against many small ones: the sum of ranks decides, and the mean would not.
    other = base - 0.01
    other[0] += 100
    assert meta.metric_verdict(base, other) == "first"
    noisy = base + generator.standard_normal(200)
    expected = "tie" if wilcoxon(noisy - base).pvalue >= 0.05 else "other"
    assert (meta.metric_verdict(noisy, base) == "tie") == (expected == "tie")
    with pytest.raises(OnePaperError, match="not finite"):
        meta.metric_verdict(np.array([np.nan]), np.array([1.0]))
    with pytest.raises(UsageError, match="expected two equal ones"):
        meta.metric_verdict(base, base[:3])


def test_agreement() -> None:
    truth = {("a", "b"): "first", ("a", "c"): "tie", ("b", "c"): "second"}
    metric = {("a", "b"): "first", ("a", "c"): "first", ("b", "c"): "second"}
    other = {("a", "b"): "first", ("a", "c"): "first", ("b", "c"): "tie"}
    found = meta.agreement(truth, metric)
    assert (found.agree, found.of) == (2, 3)
    same, right = meta.joint_agreement(truth, metric, other)
    assert (same.agree, same.of, right.agree, right.of) == (2, 3, 1, 2)
    with pytest.raises(UsageError, match="different pairs"):
        meta.agreement(truth, {("a", "b"): "first"})


def test_order_of_means_and_interval() -> None:
    truth = meta.order_verdicts({"a": 1.0, "b": 2.0, "c": 3.0, "d": 3.0})
    assert truth == {("a", "b"): "second", ("a", "c"): "second", ("a", "d"): "second", ("b", "c"): "second",
                     ("b", "d"): "second", ("c", "d"): "tie"}  # fmt: skip
    found = meta.agreement(truth, meta.order_verdicts({"a": 1.0, "b": 5.0, "c": 4.0, "d": 1.0}))
    # Of the six pairs ab and ac are right, ad is a tie, and the others are reversed or no tie.
    assert (found.agree, found.of) == (2, 6)
    assert found.low == pytest.approx(beta.ppf(0.025, 2, 5))
    assert found.high == pytest.approx(beta.ppf(0.975, 3, 4))
    assert str(meta.agreement({}, {})) == "no pairs"
