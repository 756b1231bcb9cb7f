import base64
import dataclasses
import html.parser
import io
import re
import wave

import numpy as np
import pytest
from PIL import Image

from onepaper.claims import ClaimContext
from onepaper.claims.report import print_outcomes, render_report
from onepaper.claims.results import Outcome, read_result, recorded_outcomes
from onepaper.progress import format_seconds
from onepaper.runs import environment, hardware

from . import toy_ledger
from .toy_ledger import record

RECORD = {
    "command": "onepaper toy reproduce --output 'a <b>'",
    "commit": "abc",
    "options": {"seeds": [0, 1, 2], "device": "auto"},
    "hardware": hardware(),
    "environment": environment(),
    "started": "2026-01-01T00:00:00+00:00",
}


@pytest.fixture
def paper(tmp_path, monkeypatch):
    return toy_ledger.make(tmp_path, monkeypatch)


@pytest.fixture
def page(paper):
    outcomes = recorded_outcomes(paper)
    claim = paper.ledger[1]
    result = read_result(record(paper, claim))
    outcomes[1] = Outcome(claim, "measured", result, artifacts=claim.run(ClaimContext())[0].artifacts)
    outcomes[2] = Outcome(paper.ledger[2], "failed", error="ValueError: <script>x</script>")
    return render_report(paper, outcomes, RECORD)


def contents(page, media_type):
    return [base64.b64decode(found) for found in re.findall(rf'"data:{media_type};base64,([^"]+)"', page)]


def test_pictures_and_sound_are_inside(page):
    cloud, first, second = (Image.open(io.BytesIO(content)) for content in contents(page, "image/png"))
    assert cloud.width > 300
    expected = np.round(np.linspace(0, 1, 32) * 255).reshape(2, 4, 4)
    np.testing.assert_array_equal([np.asarray(first), np.asarray(second)], expected)
    (sound,) = contents(page, "audio/wav")
    with wave.open(io.BytesIO(sound)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (8000, 1, 800)
        samples = np.frombuffer(file.readframes(800), "<i2") / 32767
    np.testing.assert_allclose(samples, np.sin(np.arange(800) / 8), atol=1e-4)
    assert page.count("<svg") == 1
    assert "<?xml" not in page


class Tags(html.parser.HTMLParser):
    VOID = ("meta", "img", "br", "path", "use", "rect")

    def __init__(self):
        super().__init__()
        self.open, self.addresses, self.seen, self.ids = [], [], set(), []

    def handle_starttag(self, tag, attributes):
        self.seen.add(tag)
        self.addresses += [value for name, value in attributes if name in ("src", "href")]
        self.ids += [value for name, value in attributes if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_is_closed_self_contained_and_escaped(page):
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert not tags.seen & {"script", "link", "iframe", "em", "i-", "x", "one"}
    assert all(address.startswith(("data:", "#")) for address in tags.addresses)
    assert "<script" not in page
    for text in (
        "&lt;script&gt;note",
        "A &lt;Toy&gt; &amp; its Ledger",
        "&lt;one&gt;",
        "&lt;em&gt;caption",
        "&lt;x&gt;",
    ):
        assert text in page
    for claim in toy_ledger.CLAIMS:
        assert tags.ids.count(claim.id) == 1


def test_the_page_says_what_was_done(page):
    for text in ("reproduced if error &lt;i&gt; is below 1e-05", "1e-07 nats", "0.1235", "seeds=[0, 1, 2]", "abc",
                 "onepaper toy reproduce --output &#39;a &lt;b&gt;&#39;", "torchrun train --preset paper", "not run",
                 environment()["python"], "failed"):  # fmt: skip
        assert text in page, text


def test_a_recorded_verdict_of_older_code_is_marked(paper):
    record(paper, paper.ledger[0])
    assert "stale" not in render_report(paper, recorded_outcomes(paper), RECORD)
    code = paper.package_folder() / "claims.py"
    code.write_text(code.read_text().replace("0.63 +", "0.62 +"))
    page = render_report(paper, recorded_outcomes(paper), RECORD)
    assert '<span class="badge mark">stale</span>' in page
    assert "the code has changed since" in page


def test_a_measured_nan_is_shown(paper):
    result = read_result(record(paper, paper.ledger[0]))
    value = dataclasses.replace(result.measured[0], mean=None, low=None, high=None)
    outcome = Outcome(paper.ledger[0], "measured", dataclasses.replace(result, measured=(value, value)))
    assert "not a number" in render_report(paper, [outcome], RECORD)


def test_the_terminal_table_shows_brackets_and_marks(paper, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    outcomes = [*recorded_outcomes(paper), Outcome(paper.ledger[0], "failed", error="shape [3, 4] [/red]")]
    print_outcomes(outcomes, "[title]")
    printed = capsys.readouterr().out
    assert "shape [3, 4] [/red]" in printed
    assert "paper scale" in printed


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.96, "1 min 0 s"), (245, "4 min 5 s"), (7380, "2 h 3 min")]
)
def test_durations(seconds, text):
    assert format_seconds(seconds) == text


def test_groups_are_counted_apart(page):
    assert "2 claims measured now" in page
    assert "3 claims without a measurement" in page


def test_an_interval_is_shown_against_the_bounds_of_its_rule():
    from onepaper.claims import Above, AllOf, Measurement, Within
    from onepaper.claims.report import _axes, _bounds
    from onepaper.claims.results import MeasuredValue

    rule = AllOf(Above("a", 0.0), Within("b", 5.0, 1.0))
    bounds = _bounds(rule.to_dict())
    assert bounds == {"a": [0.0], "b": [4.0, 6.0]}
    values = [
        MeasuredValue.of(Measurement.exact("a", 8.0)),
        MeasuredValue.of(Measurement.over_seeds("b", {0: 4.0, 1: 5.0, 2: 6.0})),
        MeasuredValue.of(Measurement.exact("c", 1.0, "nats")),
    ]
    first, second, third = _axes(values, bounds)
    # From 0 to 8 with an eighth of that on each side: 0 is at a tenth of the line, 8 at nine tenths.
    assert (first.bounds, first.low, first.mean, first.high) == ((10.0,), 90.0, 90.0, 90.0)
    assert first.label == "bound 0"
    assert second.mean == 50.0
    assert second.low < second.bounds[0] < 50 < second.bounds[1] < second.high
    assert third is None


def test_p_values_are_named_with_their_correction():
    from onepaper.claims import HolmNotRejected, Measurement
    from onepaper.claims.report import _remarks
    from onepaper.claims.results import MeasuredValue

    values = [MeasuredValue.of(Measurement.exact(name, p)) for name, p in (("x", 0.04), ("y", 0.03), ("n", 1e4))]
    remarks = _remarks(values, HolmNotRejected(("x", "y")).to_dict())
    assert remarks == ["p-value; 0.06 after Holm's correction", "p-value; 0.06 after Holm's correction", ""]


def test_a_long_family_of_p_values_is_counted():
    from onepaper.claims import HolmNotRejected
    from onepaper.claims.report import _rule_text

    assert _rule_text(HolmNotRejected(tuple("abcde"))).endswith("after Holm's correction: the 5 p-values below")
    assert _rule_text(HolmNotRejected(tuple("ab"))).endswith("after Holm's correction: a, b")


def test_each_condition_of_a_rule_is_on_a_line():
    from onepaper.claims import Above, AllOf, Below
    from onepaper.claims.report import _by_line

    rule = AllOf(Above("share (of 4)", 0.5), Below("error", 0.1), Below("bias", 0.2))
    lines = _by_line(rule.describe()).splitlines()
    assert lines[0].endswith("all of these hold:")
    assert [line[:4] for line in lines[1:]] == ["(1) ", "(2) ", "(3) "]
    assert _by_line("0.5 [0.4, 0.6] (5 seeds); more (3 tests)") == "0.5 [0.4, 0.6] (5 seeds); more (3 tests)"
