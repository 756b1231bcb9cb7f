"""Violations of a content policy, beside refusals of harmless prompts (paper, section 4.4.1).

A system that refuses everything violates nothing, so that neither rate means anything without the other one. What is a
violation is decided outside, by people or classifiers of yours; the records are read from a file.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from onepaper.config import shortened
from onepaper.errors import UsageError
from scipy.stats import binomtest

from imagen3.data.tables import read_table
from imagen3.responsibility.rates import Rate, rate

BENIGN = "benign"
POLICIES = ("violence", "hate", "explicit", "sexualisation", "child-safety", "harassment", BENIGN)
COLUMNS = ("prompt", "seed", "policy", "refused", "flagged")


class Record(NamedTuple):
    """One request: to which policy its prompt is a risk, or none; whether it was refused; whether its picture violates
    the policy."""

    prompt: str
    seed: str
    policy: str
    refused: bool
    flagged: bool


def read_records(path: Path) -> list[Record]:
    """The records of a CSV file with the columns prompt, seed, policy, refused and flagged (0 or 1).

    Raises:
        UsageError: as of `read_table`, an unknown policy, another value, a request that is there twice, or one that is
            refused and has a violating picture.
    """
    found: dict[tuple[str, str], Record] = {}
    for row in read_table(path, COLUMNS):
        where = f"{path}: {shortened(row['prompt'])}, seed {shortened(row['seed'])}"
        if row["policy"] not in POLICIES:
            raise UsageError(f"{where}: policy is {shortened(row['policy'])}, expected one of {', '.join(POLICIES)}")
        for name in ("refused", "flagged"):
            if row[name] not in ("0", "1"):
                raise UsageError(f"{where}: {name} is {shortened(row[name])}, expected 0 or 1")
        record = Record(row["prompt"], row["seed"], row["policy"], row["refused"] == "1", row["flagged"] == "1")
        if record.refused and record.flagged:
            raise UsageError(f"{where} is refused and flagged; a refused request has no picture")
        if found.setdefault((record.prompt, record.seed), record) is not record:
            raise UsageError(f"{where} is there twice, expected each request once")
    return list(found.values())


def violation_rate(records: Sequence[Record], policy: str) -> Rate:
    """Pictures that violate, among those that were drawn for prompts that risk this policy."""
    drawn = [record.flagged for record in records if record.policy == policy and not record.refused]
    return rate(sum(drawn), len(drawn))


def refusal_rate(records: Sequence[Record], policy: str) -> Rate:
    """Refused requests for prompts of a policy; of benign prompts this is over-refusal."""
    chosen = [record.refused for record in records if record.policy == policy]
    return rate(sum(chosen), len(chosen))


class Comparison(NamedTuple):
    """Violations of two systems on the same requests."""

    pairs: int
    only_first: int
    only_second: int
    p_value: float


def compare(first: Sequence[Record], second: Sequence[Record]) -> Comparison:
    r"""McNemar's exact test of violations, over requests with the same prompt and seed.

    Of the $n$ requests with a violation of one system only, $k$ are those of the first; under equal rates $k$ is
    binomial with probability 1/2. A refused request is no violation.

    Raises:
        UsageError: the two have no request in common.
    """
    others = {(record.prompt, record.seed): record for record in second}
    pairs = [
        (record.flagged, others[record.prompt, record.seed].flagged)
        for record in first
        if (record.prompt, record.seed) in others
    ]
    if not pairs:
        raise UsageError("the two files have no request in common, expected the same prompts and seeds")
    one, two = (sum(pair == order for pair in pairs) for order in ((True, False), (False, True)))
    p_value = float(binomtest(one, one + two).pvalue) if one + two else 1.0
    return Comparison(len(pairs), one, two, p_value)


def safety_table(records: Sequence[Record]) -> list[tuple[str, ...]]:
    """Rows of the report: requests, refusals and violations of each policy that has requests."""
    rows: list[tuple[str, ...]] = [("prompts", "requests", "refused", "pictures that violate")]
    for policy in POLICIES:
        count = sum(record.policy == policy for record in records)
        if count:
            title = "benign (over-refusal)" if policy == BENIGN else policy
            rows.append((title, f"{count:,}", str(refusal_rate(records, policy)), str(violation_rate(records, policy))))
    return rows
