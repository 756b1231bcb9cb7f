"""The claims ledger: what a paper says, how it is measured here, and the verdict.

A paper's `claims.py` needs nothing else: claims, evidence and rules are exported here. Importing this package is light
(no numpy), because `onepaper list` reads every ledger.
"""

from onepaper.claims.claim import (
    TIERS,
    Claim,
    ClaimContext,
    ClaimsOptions,
    Tier,
    check_ledger,
)
from onepaper.claims.evidence import ArmResult, Artifact, Evidence, ImageGrid, Measurement, Note, Plot, Sound, Table
from onepaper.claims.rules import (
    Above,
    AllOf,
    AnyOf,
    Below,
    Decision,
    Equal,
    Greater,
    HolmNotRejected,
    Increasing,
    NotTestable,
    Observation,
    Ordered,
    PaperScale,
    Rule,
    Verdict,
    Within,
)

__all__ = [
    "TIERS",
    "Above",
    "AllOf",
    "AnyOf",
    "ArmResult",
    "Artifact",
    "Below",
    "Claim",
    "ClaimContext",
    "ClaimsOptions",
    "Decision",
    "Equal",
    "Evidence",
    "Greater",
    "HolmNotRejected",
    "ImageGrid",
    "Increasing",
    "Measurement",
    "NotTestable",
    "Note",
    "Observation",
    "Ordered",
    "PaperScale",
    "Plot",
    "Rule",
    "Sound",
    "Table",
    "Tier",
    "Verdict",
    "Within",
    "check_ledger",
]
