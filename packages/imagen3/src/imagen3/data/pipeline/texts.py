"""Filters of captions: words of a list, and what identifies a person (paper, section 2)."""

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from imagen3.data.pipeline.records import KEEP, Decision, Record

Safe = Callable[[Record], bool]
"""A classifier of the user: whether a picture with its caption is safe."""


class Found(NamedTuple):
    """A part of a text that identifies a person or their account."""

    kind: str
    begin: int
    end: int


EMAIL = re.compile(r"[\w.+%-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}")
URL_WITH_USER = re.compile(r"\b[a-z][a-z0-9+.-]{1,15}://[^\s/@:]{1,64}(?::[^\s/@]{0,64})?@\S{1,200}", re.IGNORECASE)
CARD = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.]?\d)")
IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")
ADDRESS_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)")
ADDRESS_IPV6 = re.compile(r"(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])", re.IGNORECASE)
PHONE = re.compile(r"(?<![\w.,/-])(?:\+|00)?\(?\d{1,4}\)?(?:[ ./-]?\(?\d{2,4}\)?){2,5}(?![\w/-]|[.,]\d)")
DATE = re.compile(
    r"\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{2,4}|(?:1[5-9]|20)\d\d[ -]+(?:1[5-9]|20)\d\d"
)


def luhn(digits: str) -> bool:
    """Whether the last digit of a card number is its check digit."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + index % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def iban(value: str) -> bool:
    """Whether an account number has the remainder 1 of ISO 7064 (modulo 97)."""
    moved = value[4:] + value[:4]
    return 15 <= len(value) <= 34 and int("".join(str(int(letter, 36)) for letter in moved)) % 97 == 1


def _address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _phone(value: str) -> bool:
    digits = re.sub(r"\D", "", value)
    # Without a prefix or separators, digits are more often a number of something else.
    marked = value[0] in "+(" or value.startswith("00") or re.search(r"\d[ ./-]\(?\d", value) is not None
    return 7 <= len(digits) <= 15 and marked and not DATE.fullmatch(value) and not ADDRESS_IPV4.fullmatch(value)


def personal_data(text: str) -> list[Found]:
    """E-mail addresses, URLs with a user, card and account numbers, IP addresses and telephone numbers, in order.

    Numbers of cards and accounts have to have their check digits; dates, versions and years are no telephone numbers.
    """
    checks: Sequence[tuple[str, re.Pattern[str], Callable[[str], bool]]] = (
        ("url", URL_WITH_USER, lambda _: True),
        ("email", EMAIL, lambda _: True),
        ("iban", IBAN, lambda value: iban(value.replace(" ", ""))),
        ("card", CARD, lambda value: luhn(re.sub(r"\D", "", value))),
        ("ip", ADDRESS_IPV4, _address),
        ("ip", ADDRESS_IPV6, _address),
        ("phone", PHONE, _phone),
    )
    found: list[Found] = []
    for kind, pattern, valid in checks:
        for match in pattern.finditer(text):
            free = all(match.end() <= other.begin or other.end <= match.start() for other in found)
            if free and valid(match.group()):
                found.append(Found(kind, *match.span()))
    return sorted(found, key=lambda part: part.begin)


def redacted(text: str, found: Iterable[Found]) -> str:
    """The text with [kind] in place of each part."""
    parts, end = [], 0
    for part in found:
        parts += [text[end : part.begin], f"[{part.kind}]"]
        end = part.end
    return "".join([*parts, text[end:]])


def privacy(record: Record, *, redact: bool) -> Decision:
    """Drop a record whose caption has personal data, or replace them."""
    found = personal_data(record.caption)
    if not found:
        return KEEP
    reason = "+".join(sorted({part.kind for part in found}))
    return Decision(reason, caption=redacted(record.caption, found)) if redact else Decision(reason, drop=True)


def words_of(text: str) -> Iterator[str]:
    """Words in lower case, without regard to accents of case folding."""
    return (match.group() for match in re.finditer(r"\w+", text.casefold()))


def unsafe_words(record: Record, listed: frozenset[str]) -> Decision:
    """Drop a record whose caption has a word of the list, or several listed words in this order."""
    text = f" {' '.join(words_of(record.caption))} "
    return Decision("listed", drop=True) if any(f" {word} " in text for word in listed) else KEEP


def classified(record: Record, safe: Safe) -> Decision:
    """Drop a record that a classifier of picture and caption together calls unsafe."""
    return KEEP if safe(record) else Decision("classified", drop=True)
