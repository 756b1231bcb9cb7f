"""Claim C19: a plan with the size and the limits of the study, and how wide the intervals of its ratings are."""

from functools import partial

import numpy as np
from onepaper.claims import ClaimContext, Evidence, Measurement, Table

from imagen3.config import StudyRules
from imagen3.human.bootstrap import bootstrap_intervals
from imagen3.human.elo import fit_ratings
from imagen3.human.studies import (
    PAPER_BOARDS,
    PAPER_MODELS,
    PAPER_RATERS,
    plan_studies,
    simulate,
    violations,
)

RULES = StudyRules()
ELO = np.array([1098.0, 1047.0, 1028.0, 1027.0, 941.0, 860.0])
"""true ratings of the simulation: those printed for the first board"""
TIE_RATE, RATER_SD = 0.1, 100.0


def simulated_plan(seed: int) -> dict[str, float]:
    """One plan: its size, what it breaks, and half-widths of 99% intervals of a simulated board."""
    generator = np.random.default_rng(seed)
    plan = plan_studies(PAPER_MODELS, PAPER_BOARDS, PAPER_RATERS, generator, RULES)
    found = {
        "ratings": len(plan.study),
        "submissions": len(np.unique(plan.study * PAPER_RATERS + plan.rater)),
        "violations": sum(violations(plan, RULES).values()),
    }
    for name, spread in (("independent votes", 0.0), ("raters of own taste", RATER_SD)):
        votes = simulate(plan, 0, ELO, generator, tie_rate=TIE_RATE, rater_sd=spread)
        ratings, ends = fit_ratings(votes.models, votes.counts()), bootstrap_intervals(votes, generator)
        found |= {
            f"closed form, {name}": float(ratings.half_width().mean()),
            f"bootstrap, {name}": float(np.mean(ends.high - ends.low) / 2),
        }
    return found


def study_plan(context: ClaimContext) -> Evidence:
    """The size of the plan, its violations, and the widths of intervals."""
    arms = {seed: context.arm("study plan", seed, partial(simulated_plan, seed)) for seed in context.seeds}
    first = arms[context.seeds[0]]
    return Evidence(
        "",
        [Measurement.over_seeds(name, {seed: arm[name] for seed, arm in arms.items()}) for name in first],
        [
            Table(
                "The plan and the study of the report",
                ("", "plan", "report"),
                [
                    ("studies", f"{len(PAPER_BOARDS) * 15}", "15 pairs on each of 10 boards"),
                    ("ratings", f"{first['ratings']:,.0f}", "366,569"),
                    ("submissions", f"{first['submissions']:,.0f}", "5,943"),
                    ("raters", f"{PAPER_RATERS:,}", "3,225"),
                ],
            )
        ],
    )
