"""Personal data in captions: check digits, and what only looks alike."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies

from imagen3.data.pipeline.records import Record
from imagen3.data.pipeline.texts import (
    classified,
    iban,
    luhn,
    personal_data,
    privacy,
    redacted,
    unsafe_words,
)


def record(caption: str) -> Record:
    return Record(Path("x.png"), caption, None)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("write to jo.doe+x@mail.example.org", ["email"]),
        ("Schreib an müller@bücher.de, bitte", ["email"]),
        ("call +49 30 1234567 now", ["phone"]),
        ("call (555) 123-4567", ["phone"]),
        ("tel. 030/123 45 67", ["phone"]),
        ("pay 4111 1111 1111 1111", ["card"]),
        ("pay 4111-1111-1111-1111 to jo@a.org", ["card", "email"]),
        ("IBAN DE89 3704 0044 0532 0130 00", ["iban"]),
        ("server 192.168.1.20 is down", ["ip"]),
        ("server 2001:db8::ff00:42:8329 is down", ["ip"]),
        ("https://jo:secret@example.org/x", ["url"]),
        ("pay 4111 1111 1111 1112 or 1234567812345678", []),
        ("version 1.2.3.4567 of 2024-05-17", []),
        ("on 17.05.2024 at 12:30:45", []),
        ("between 1914-1918 and 1939 - 1945", []),
        ("a 1024x768 photo, 35 mm, f/2.8, ISO 400, no. 1234567", []),
        ("DE00 3704 0044 0532 0130 00 is no account", []),
        ("see https://example.org/@jo and 300.400.500.600", []),
        ("me @ home", []),
    ],
)
def test_kinds(text: str, kinds: list[str]) -> None:
    assert [part.kind for part in personal_data(text)] == kinds


@given(strategies.integers(10**11, 10**18 - 1))
def test_check_digits(number: int) -> None:
    """Exactly one last digit is right, and one changed digit is always noticed."""
    valid = [digit for digit in "0123456789" if luhn(f"{number}{digit}")]
    assert len(valid) == 1
    whole = f"{number}{valid[0]}"
    changed = whole[:3] + str((int(whole[3]) + 1) % 10) + whole[4:]
    assert not luhn(changed)


def test_account_numbers() -> None:
    """Published examples of ISO 13616."""
    for value in ("GB82WEST12345698765432", "FR1420041010050500013M02606", "NO9386011117947"):
        assert iban(value)
        assert not iban(value[:-1] + ("0" if value[-1] != "0" else "1"))


@settings(max_examples=40, deadline=None)
@given(strategies.text("0123456789 .+-/()@:aZ", max_size=40))
def test_redaction_leaves_nothing(text: str) -> None:
    found = personal_data(text)
    assert all(first.end <= second.begin for first, second in itertools.pairwise(found))
    assert not personal_data(redacted(text, found))


def test_dropped_or_replaced() -> None:
    given_ = record("by jo@a.org, call +49 30 1234567")
    assert privacy(given_, redact=False) == ("email+phone", True, None, None)
    assert privacy(given_, redact=True).caption == "by [email], call [phone]"
    assert privacy(record("a dog"), redact=True) == ("", False, None, None)


def test_listed_words() -> None:
    listed = frozenset({"gore", "severed head"})
    for caption, drop in (("Gore!", True), ("a severed  head", True), ("gored", False), ("head severed", False)):
        assert unsafe_words(record(caption), listed).drop == drop


def test_a_classifier_of_the_user() -> None:
    assert classified(record("a dog"), lambda own: "dog" not in own.caption).reason == "classified"
    assert not classified(record("a cat"), lambda own: "dog" not in own.caption).drop
