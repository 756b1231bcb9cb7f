"""Configurations survive JSON, refuse what does not fit, and report where they differ."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onepaper.config import (
    check_between,
    check_choice,
    check_non_negative,
    check_positive,
    config_hash,
    differences,
    flatten,
    from_dict,
    identity,
    outside_identity,
    parse_json,
    read_json,
    to_dict,
    without,
)
from onepaper.errors import UsageError


@dataclass(frozen=True)
class Optimizer:
    lr: float = 1e-3
    name: Literal["adam", "sgd"] = "adam"

    def __post_init__(self) -> None:
        check_positive("lr", self.lr)


@dataclass(frozen=True)
class Config:
    optimizer: Optimizer = field(default_factory=Optimizer)
    widths: tuple[int, ...] = (8, 16)
    clip: float | None = None
    folder: Path = Path("x")
    pair: tuple[int, float] = (1, 2.0)


@given(
    st.builds(
        Config,
        optimizer=st.builds(Optimizer, lr=st.floats(1e-6, 10), name=st.sampled_from(["adam", "sgd"])),
        widths=st.lists(st.integers(), max_size=4).map(tuple),
        clip=st.none() | st.floats(0, 5),
        folder=st.just(Path("a/b")),
        pair=st.tuples(st.integers(), st.floats(-1, 1)),
    )
)
def test_json_round_trip(config: Config) -> None:
    again = from_dict(Config, json.loads(json.dumps(to_dict(config))))
    assert again == config
    assert config_hash(again) == config_hash(config)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"optimiser": {}}, "did you mean 'optimizer'"),
        ({"optimizer": {"lr": "fast"}}, "optimizer: lr is 'fast', expected float"),
        ({"optimizer": {"lr": -1.0}}, "lr is -1.0, expected a number above 0"),
        ({"optimizer": {"name": "adamw"}}, "did you mean 'adam'"),
        ({"widths": 3}, "widths is 3, expected a list"),
        ({"widths": [True]}, "expected int"),
        ({"pair": [1]}, "pair has 1 values, expected 2"),
        ({"clip": "no"}, "clip is 'no', expected float"),
        ({"folder": 3}, "folder is 3, expected text"),
        ({"folder": ["x"]}, "folder is ['x'], expected text"),
        ([], "expected the fields of Config"),
    ],
)
def test_the_message_names_what_does_not_fit(values: object, expected: str) -> None:
    with pytest.raises(UsageError, match="^[^\n]*$") as caught:
        from_dict(Config, values)  # type: ignore[arg-type]
    assert expected in str(caught.value)


def test_missing_required_field_is_named() -> None:
    @dataclass(frozen=True)
    class Needs:
        steps: int

    with pytest.raises(UsageError, match="field 'steps' of Needs is missing"):
        from_dict(Needs, {})


def test_integers_are_fine_where_floats_are_expected() -> None:
    config = from_dict(Config, {"optimizer": {"lr": 1}})
    assert isinstance(config.optimizer.lr, float)


def test_hash_sees_every_field_and_no_order() -> None:
    assert config_hash(Config()) != config_hash(Config(widths=(8, 17)))
    assert config_hash(Config()) == config_hash(from_dict(Config, dict(reversed(to_dict(Config()).items()))))


def test_differences_name_the_fields() -> None:
    ours, theirs = to_dict(Config(optimizer=Optimizer(lr=2.0))), to_dict(Config())
    assert differences(ours, theirs) == ["optimizer.lr: 2.0 here, 0.001 there"]
    assert differences(ours, ours) == []
    assert differences({"a": 1}, {}) == ["a: 1 here, absent there"]


def test_flatten() -> None:
    assert flatten({"a": {"b": {"c": 1}}, "d": [2]}) == {"a.b.c": 1, "d": [2]}


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_positive(bad: float) -> None:
    with pytest.raises(UsageError, match="steps"):
        check_positive("steps", bad)


def test_ranges_and_choices() -> None:
    check_non_negative("k", 0)
    check_between("damping", 1.0, 0.0, 1.0)
    with pytest.raises(UsageError, match="k is -1"):
        check_non_negative("k", -1)
    with pytest.raises(UsageError, match="damping is nan"):
        check_between("damping", float("nan"), 0.0, 1.0)
    with pytest.raises(UsageError, match="did you mean 'cosine'"):
        check_choice("schedule", "cosin", ["cosine", "linear"])


def test_unreadable_json(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        read_json(tmp_path / "none.json")
    (tmp_path / "bad.json").write_bytes(b"\xff{")
    with pytest.raises(UsageError, match="not readable JSON"):
        read_json(tmp_path / "bad.json")


@dataclass(frozen=True)
class Tables:
    rows: list[tuple[str, int]] = field(default_factory=list)
    by_name: Mapping[str, float] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"rows": {}}, "rows is {}, expected list"),
        ({"rows": [["a", "b"]]}, "rows[0] is 'b', expected int"),
        ({"by_name": [1]}, "by_name is [1], expected Mapping"),
        ({"by_name": {"a": None}}, "by_name.a is None, expected float"),
    ],
)
def test_containers_are_checked_inside(values: dict[str, object], expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        from_dict(Tables, values)
    assert expected in str(caught.value)
    assert from_dict(Tables, {"rows": [["a", 1]], "by_name": {"x": 2}}) == Tables([("a", 1)], {"x": 2.0})


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b"[" * 101 + b"]" * 101, "more than 100 levels"),
        (b"9" * 5000, "not readable JSON"),
        (b"1" + b"0" * 20, "more than 64 bits"),
        (b"1e999", "more than 64 bits"),
        (b"NaN", "NaN is no number of JSON"),
        (b'{"a": [-Infinity]}', "-Infinity is no number of JSON"),
        (b'{"a": "\\ud800"}', "is no text"),
        (b'{"\\u0000": 1}', "is no text"),
        (b"\xff{}", "not readable JSON"),
        (b"", "not readable JSON"),
    ],
)
def test_odd_json_is_one_line(content: bytes, expected: str) -> None:
    with pytest.raises(UsageError, match="^[^\n]{,300}$") as caught:
        parse_json(content, "file x")
    assert expected in str(caught.value)


def test_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_json(tmp_path)


def test_identity_leaves_declared_fields_out() -> None:
    @dataclass(frozen=True)
    class Loop:
        steps: int = 3
        batch: int = 2

    @dataclass(frozen=True)
    class Longer(Loop):
        more: int = 1

    @dataclass(frozen=True)
    class Whole:
        loop: Loop
        width: int = 1

    outside_identity(Loop, "steps")
    outside_identity(Longer, "more")
    assert identity(Whole(Longer())) == {"loop": {"batch": 2}, "width": 1}
    assert without({"a": {"b": 1, "c": 2}, "d": 3}, ["a.b", "d", "e.f"]) == {"a": {"c": 2}}
