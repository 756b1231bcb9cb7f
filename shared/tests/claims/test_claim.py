import json
import logging
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onepaper.claims import (
    Above,
    AllOf,
    AnyOf,
    Below,
    Claim,
    ClaimContext,
    Equal,
    Evidence,
    Greater,
    HolmNotRejected,
    ImageGrid,
    Increasing,
    Measurement,
    NotTestable,
    Observation,
    Ordered,
    PaperScale,
    Sound,
    Table,
    Within,
    check_ledger,
)
from onepaper.claims.evidence import format_value
from onepaper.errors import UsageError

YES, NO, OPEN = "reproduced", "not reproduced", "inconclusive"


def seeds(name, *values):
    return Measurement.over_seeds(name, dict(enumerate(values)))


def verdict(rule, *measured):
    return rule.decide(Evidence("", measured)).verdict


def test_importing_the_ledger_is_light():
    code = "import sys, onepaper.claims, onepaper.claims.reproduce; print([m for m in sys.modules if '.' not in m])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for heavy in ("numpy", "scipy", "jinja2", "matplotlib", "rich", "jsonschema", "torch", "jax"):
        assert f"'{heavy}'" not in loaded


@pytest.mark.parametrize(
    ("rule", "values", "expected"),
    [
        (Below("x", 1.0), (0.5, 0.51, 0.52), YES),
        (Below("x", 1.0), (1.5, 1.51, 1.52), NO),
        (Below("x", 1.0), (0.5, 0.9, 1.4), OPEN),
        (Below("x", 1.0), (1.0, 1.0, 1.0), NO),
        (Above("x", 1.0), (1.5, 1.51, 1.52), YES),
        (Above("x", 1.0), (0.5, 0.51, 0.52), NO),
        (Above("x", 1.0), (1.0, 1.0, 1.0), NO),
        (Above("x", 1.0), (0.5, 1.2, 1.4), OPEN),
        (Within("x", 1.0, 0.5), (1.0, 1.1, 0.9), YES),
        (Within("x", 1.0, 0.5), (0.5, 0.5, 0.5), YES),
        (Within("x", 1.0, 0.5), (2.0, 2.1, 2.2), NO),
        (Within("x", 1.0, 0.5), (0.0, 0.1, 0.05), NO),
        (Within("x", 1.0, 0.5), (1.0, 1.5, 2.0), OPEN),
    ],
)
def test_bounds_across_seeds(rule, values, expected):
    assert verdict(rule, seeds("x", *values)) == expected


@pytest.mark.parametrize("rule", [Below("x", 1.0), Above("x", -1.0), Within("x", 0.5, 9.0)])
def test_few_seeds_or_nan_never_reproduce(rule):
    for measured in (
        seeds("x", 0.5),
        seeds("x", 0.5, 0.5),
        seeds("x", 0.5, math.nan, 0.5),
        Measurement.exact("x", math.nan),
        Measurement.over_examples("x", [0.5, math.nan]),
    ):
        assert verdict(rule, measured) == OPEN
    assert verdict(rule, seeds("x", 0.5, 0.5, 0.5)) == YES
    assert rule.decide(Evidence("", [seeds("x", 0.5, math.nan, 0.5)])).reason == "x is not a number"


def test_exact_needs_no_seeds():
    assert verdict(Below("x", 1e-5), Measurement.exact("x", 1e-7)) == YES
    assert verdict(Below("x", 1e-5), Measurement.exact("x", 1e-5)) == NO
    assert verdict(Below("x", 1e-5), Measurement.exact("x", math.inf)) == NO


def test_an_interval_over_examples_is_used_and_reported():
    values = np.random.default_rng(0).normal(1.0, 0.1, 500)
    decision = Below("x", 2.0).decide(Evidence("", [Measurement.over_examples("x", values)]))
    assert decision.verdict == YES
    assert "bootstrap over 500 examples of one run" in decision.reason
    with pytest.raises(UsageError, match="measured over examples"):
        verdict(Greater("x", "y"), Measurement.over_examples("x", values), Measurement.exact("y", 0.0))


def test_greater_is_paired_by_seed():
    # The seeds differ by far more than the arms: only pairing shows the effect.
    a, b = seeds("a", 10.1, 20.11, 30.1), seeds("b", 10.0, 20.0, 30.0)
    assert verdict(Greater("a", "b"), a, b) == YES
    assert verdict(Greater("b", "a"), a, b) == NO
    assert verdict(Greater("a", "b", margin=0.1), a, b) == OPEN
    assert verdict(Greater("a", "b", margin=0.5), a, b) == NO
    shuffled = Measurement.over_seeds("b", {0: 20.0, 1: 30.0, 2: 10.0})
    assert verdict(Greater("a", "b"), a, shuffled) == OPEN


def test_pairs_need_the_same_seeds():
    other = Measurement.over_seeds("b", {0: 1.0, 1: 1.0, 7: 1.0})
    with pytest.raises(UsageError, match=r"'a' has seeds \(0, 1, 2\), 'b' \(0, 1, 7\)"):
        verdict(Greater("a", "b"), seeds("a", 1, 2, 3), other)
    assert verdict(Greater("a", "chance"), seeds("a", 0.8, 0.81, 0.82), Measurement.exact("chance", 0.5)) == YES
    assert verdict(Greater("chance", "a"), seeds("a", 0.8, 0.81, 0.82), Measurement.exact("chance", 0.5)) == NO
    assert verdict(Greater("a", "b"), Measurement.exact("a", 2.0), Measurement.exact("b", 1.0)) == YES


def test_equal_is_an_equivalence_test():
    a = seeds("a", 1.0, 2.0, 3.0)
    assert verdict(Equal("a", "b", 0.1), a, seeds("b", 1.01, 2.0, 2.99)) == YES
    assert verdict(Equal("a", "b", 0.1), a, seeds("b", 1.5, 2.51, 3.5)) == NO
    assert verdict(Equal("a", "b", 0.1), a, seeds("b", 0.8, 2.2, 3.0)) == OPEN


def test_order():
    one, two, three = seeds("1", 1.0, 1.1, 1.0), seeds("2", 2.0, 2.1, 2.01), seeds("3", 3.0, 3.1, 3.02)
    assert verdict(Increasing(("1", "2", "3")), one, two, three) == YES
    assert verdict(Ordered(("3", "2", "1")), one, two, three) == YES
    assert verdict(Increasing(("1", "3", "2")), one, two, three) == NO
    assert verdict(Ordered(("1", "2")), one, two) == NO
    noisy = seeds("n", 1.0, 5.0, 1.5)
    assert verdict(Increasing(("1", "2", "n")), one, two, noisy) == OPEN


def test_all_and_any():
    good, bad = seeds("good", 0.5, 0.5, 0.5), seeds("bad", 2.0, 2.0, 2.0)
    vague = seeds("vague", 0.0, 1.0, 2.0)
    parts = {name: Below(name, 1.0) for name in ("good", "bad", "vague")}
    measured = (good, bad, vague)
    for names, of_all, of_any in (
        (("good", "good"), YES, YES),
        (("good", "bad"), NO, YES),
        (("good", "vague"), OPEN, YES),
        (("bad", "vague"), NO, OPEN),
        (("bad", "bad"), NO, NO),
        (("vague", "vague"), OPEN, OPEN),
    ):
        rules = [parts[name] for name in names]
        assert verdict(AllOf(*rules), *measured) == of_all, names
        assert verdict(AnyOf(*rules), *measured) == of_any, names


def test_many_tests_of_one_claim_are_corrected():
    # The 95% interval of x ends just below 1, the 97.5% interval does not.
    x, vague = seeds("x", 0.5, 0.6, 0.7), seeds("vague", 0.0, 1.0, 2.0)
    bound = x.interval(0.96).high
    assert verdict(Below("x", bound), x) == YES
    assert verdict(AnyOf(Below("x", bound), Below("vague", 1.0)), x, vague) == OPEN
    assert verdict(AllOf(Above("x", bound), Below("vague", 1.0)), x, vague) == OPEN
    # Passing every part needs no correction.
    assert verdict(AllOf(Below("x", bound), Below("x", bound)), x) == YES


def test_holm_not_rejected():
    def p(name, value):
        return Measurement.exact(name, value)

    rule = HolmNotRejected(("p1", "p2", "p3"))
    assert verdict(rule, p("p1", 0.02), p("p2", 0.5), p("p3", 0.9)) == YES  # 3 * 0.02 > 0.05
    assert verdict(rule, p("p1", 0.01), p("p2", 0.5), p("p3", 0.9)) == NO
    assert verdict(rule, p("p1", math.nan), p("p2", 0.5), p("p3", 0.9)) == OPEN
    with pytest.raises(UsageError, match="expected exact"):
        verdict(HolmNotRejected(("p",)), seeds("p", 0.5, 0.6, 0.7))


def test_terminal_rules():
    assert verdict(Observation(), seeds("x", 1.0)) == "observation"
    assert verdict(PaperScale("torchrun x")) == "paper scale"
    assert PaperScale("torchrun x").describe() == "needs the paper's scale: torchrun x"
    assert verdict(NotTestable("private data")) == "not testable"
    with pytest.raises(UsageError, match="decide on numbers"):
        AllOf(Observation(), Below("x", 1))


def test_a_missing_measurement_is_named():
    with pytest.raises(UsageError, match="unknown measurement 'acuracy': did you mean 'accuracy'"):
        verdict(Below("acuracy", 1), seeds("accuracy", 1, 2, 3))


def test_rules_are_data():
    rule = AllOf(Below("x", 0.75), AnyOf(Greater("a", "b", 0.1), Increasing(("a", "b"))))
    values = json.loads(json.dumps(rule.to_dict()))
    assert values["rule"] == "AllOf"
    assert values["rules"][0] == {"rule": "Below", "name": "x", "bound": 0.75}
    assert values["rules"][1]["rules"][1] == {"rule": "Increasing", "names": ["a", "b"]}
    assert rule.describe() == (
        "reproduced if all of these hold: (1) x is below 0.75; (2) any of these holds: (1) a is greater than b by more "
        "than 0.1 (paired by seed); (2) these increase in this order (paired by seed): a, b"
    )
    hashes = [r.hash() for r in (Below("x", 0.75), Below("x", 0.76), Below("y", 0.75), Above("x", 0.75), rule)]
    assert len(set(hashes)) == 5
    assert Below("x", 0.75).hash() == hashes[0]


@given(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=6), st.floats(-1e3, 1e3))
def test_below_and_above_never_both_hold(values, bound):
    x = seeds("x", *values)
    assert [verdict(Below("x", bound), x), verdict(Above("x", bound), x)].count(YES) <= 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((0.6411, 0.612, 0.670), "0.641 [0.612, 0.670]"),
        ((1234.5, 1200.0, 1269.0), "1,234 [1,200, 1,269]"),
        ((0.5,), "0.5"),
        ((2 / 3,), "0.6667"),
        ((3.1e-7, None, None, "nats"), "3.1e-07 nats"),
        ((64.0, 60.0, 68.0, "%"), "64.0% [60.0, 68.0]"),
        ((0.0,), "0"),
        ((None,), "not a number"),
        ((math.inf,), "inf"),
        ((1.0, 1.0, 1.0), "1"),
        ((12345.678,), "12,346"),
    ],
)
def test_numbers_have_sensible_digits(arguments, text):
    assert format_value(*arguments) == text


def test_claims_are_checked():
    def make(**changes):
        values = {"id": "C1", "place": "§2", "statement": "s", "paper": "p", "rule": Below("x", 1), "measure": "a.b:c"}
        return Claim(**(values | changes))

    assert list(check_ledger([make(), make(id="X1")])) == ["C1", "X1"]
    with pytest.raises(UsageError, match="C1 is there twice"):
        check_ledger([make(), make()])
    for changes, message in (
        ({"id": "../C1"}, "claim id is"),
        ({"measure": ""}, "expected package.module:function"),
        ({"tier": "slow"}, "unknown tier of C1 'slow'"),
        ({"rule": NotTestable("private")}, "measures nothing"),
    ):
        with pytest.raises(UsageError, match=message):
            make(**changes)
    with pytest.raises(UsageError, match="json has no nothing"):
        make(measure="json:nothing").run(ClaimContext())
    with pytest.raises(UsageError, match="returned str, expected Evidence"):
        make(measure="builtins:repr").run(ClaimContext())


def test_artifacts_are_checked():
    with pytest.raises(UsageError, match="range from -1 to 1"):
        ImageGrid("g", np.linspace(-1, 1, 32).reshape(2, 4, 4))
    with pytest.raises(UsageError, match="range from nan"):
        ImageGrid("g", np.full((1, 2, 2), np.nan))
    with pytest.raises(UsageError, match=r"shape \(4, 4\)"):
        ImageGrid("g", np.zeros((4, 4)))
    with pytest.raises(UsageError, match="1 labels for 2"):
        ImageGrid("g", np.zeros((2, 4, 4)), ["a"])
    with pytest.raises(UsageError, match="not finite"):
        Sound("s", np.array([0.0, np.nan]), 16000)
    with pytest.raises(UsageError, match="1 cells under 2"):
        Table("t", ("a", "b"), [(1,)])
    with pytest.raises(UsageError, match="'x' is there twice"):
        Evidence("", [Measurement.exact("x", 1), Measurement.exact("x", 2)])


class Arm:
    def __init__(self, **result):
        self.calls = 0
        self.result = result

    def __call__(self):
        self.calls += 1
        return self.result


def test_an_arm_is_computed_once_and_kept(tmp_path):
    arm = Arm(loss=np.float32(0.5), curve=np.arange(4.0), file=3)
    context = ClaimContext(folder=tmp_path, fingerprint="a")
    first = context.arm("wide/net", 1, arm)
    assert context.arm("wide/net", 1, arm)["loss"] == 0.5
    resumed = ClaimContext(folder=tmp_path, fingerprint="a")
    again = resumed.arm("wide/net", 1, arm)
    assert arm.calls == 1
    assert resumed.reused_files == 1
    assert resumed.reused.seconds > 0
    assert resumed.reused.peak > 2**20
    assert again["loss"] == first["loss"] == 0.5
    assert type(again["loss"]) is type(first["loss"]) is float
    assert again["file"] == 3
    np.testing.assert_array_equal(again["curve"], np.arange(4.0))
    assert again["curve"].dtype == first["curve"].dtype


@pytest.mark.parametrize(
    ("changes", "seed"), [({"fingerprint": "b"}, 1), ({"tier": "full"}, 1), ({"device": "cuda"}, 1), ({}, 2)]
)
def test_another_code_tier_device_or_seed_computes_again(tmp_path, changes, seed):
    arm = Arm(loss=0.5)
    ClaimContext(folder=tmp_path, fingerprint="a").arm("x", 1, arm)
    ClaimContext(**({"folder": tmp_path, "fingerprint": "a"} | changes)).arm("x", seed, arm)
    assert arm.calls == 2


def test_claims_of_a_run_share_arms_and_each_keeps_its_file(tmp_path):
    arm, shared = Arm(loss=0.5), {}
    for code in ("a", "b"):
        ClaimContext(folder=tmp_path, fingerprint=code, shared_arms=shared).arm("x", 0, arm)
    ClaimContext(folder=tmp_path, fingerprint="b").arm("x", 0, arm)
    assert arm.calls == 1
    assert len(list((tmp_path / "arms").iterdir())) == 2


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "other"])
def test_a_damaged_arm_is_computed_again(tmp_path, caplog, damage):
    arm = Arm(curve=np.arange(1000.0))
    ClaimContext(folder=tmp_path).arm("x", 0, arm)
    (path,) = (tmp_path / "arms").iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"flipped": content, "cut": content[:500], "empty": b"", "other": b"not an archive"}[damage])
    with caplog.at_level(logging.WARNING):
        again = ClaimContext(folder=tmp_path).arm("x", 0, arm)
    assert arm.calls == 2
    assert "is damaged" in caplog.text
    np.testing.assert_array_equal(again["curve"], np.arange(1000.0))
    ClaimContext(folder=tmp_path).arm("x", 0, arm)
    assert arm.calls == 2


def test_track_iterates():
    assert list(ClaimContext().track(range(3), "three")) == [0, 1, 2]
