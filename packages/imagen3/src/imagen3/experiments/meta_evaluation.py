"""Claim C8: metrics by statements and questions beside a dual encoder, where the truth about every picture is known.

Systems draw the same prompts about scenes, each with another share of pictures that have one error. What people would
prefer is known: of two pictures the one without an error. The metrics are those of `evaluation.scene_metrics`.
"""

from functools import partial
from itertools import combinations

import numpy as np
from onepaper.claims import ClaimContext, Evidence, ImageGrid, Measurement, Table
from onepaper.claims.evidence import ArmResult

from imagen3.data.scenes import Scene, draw_scene, random_scenes
from imagen3.evaluation.alignment import Question, clip_score, question_score
from imagen3.evaluation.meta import (
    Pair,
    Verdict,
    agreement,
    human_verdict,
    joint_agreement,
    metric_verdict,
    order_verdicts,
)
from imagen3.evaluation.scene_metrics import altered, embeddings, probabilities, seen, statements, train_metrics
from imagen3.evaluation.scene_scorer import BLUR, NOISE, degraded

PROMPTS = 140
ERRORS = (0.0, 0.1, 0.2, 0.3, 0.45, 0.6)
"""shares of pictures with an error, one for each system"""
TRUTH, DUAL, CONTROL, STATEMENT, QUESTIONS = (
    *("truth", "dual encoder", "dual encoder, false statements", "statement", "questions"),
)
METRICS = (DUAL, CONTROL, STATEMENT, QUESTIONS)

Verdicts = dict[Pair, Verdict]


def drawn(scene: Scene, right: bool, generator: np.random.Generator) -> np.ndarray:
    """A picture of a scene with noise and blur, or of one with an error."""
    return degraded(draw_scene(scene if right else altered(scene, generator)), generator, NOISE, BLUR)


def scored_systems(seed: int) -> ArmResult:
    """For each system and prompt, whether the picture is right and what each metric says; [systems, prompts]."""
    trained, generator = train_metrics(seed=seed), np.random.default_rng([seed, 2])
    scenes = random_scenes(PROMPTS, generator)
    prompts, asked = [statements(scene)[0] for scene in scenes], [_questions(scene) for scene in scenes]
    texts = [question.text for own in asked for question in own]
    owners = np.repeat(np.arange(PROMPTS), [len(own) for own in asked])
    found: dict[str, list[object]] = {name: [] for name in (TRUTH, *METRICS)}
    for share in ERRORS:
        right = generator.random(PROMPTS) >= share
        pictures = seen([drawn(scene, bool(own), generator) for scene, own in zip(scenes, right, strict=True)])
        answers = probabilities(trained.reader, pictures[owners], texts)
        each = [dict(enumerate(answers[owners == number].tolist(), 1)) for number in range(PROMPTS)]
        found[TRUTH].append(right)
        found[DUAL].append(clip_score(*embeddings(trained.captions, pictures, prompts)))
        found[CONTROL].append(clip_score(*embeddings(trained.statements, pictures, prompts)))
        found[STATEMENT].append(probabilities(trained.reader, pictures, prompts))
        found[QUESTIONS].append([question_score(*pair) for pair in zip(asked, each, strict=True)])
    return {name: np.array(own, float) for name, own in found.items()}


def _questions(scene: Scene) -> list[Question]:
    """About each number, and about the relation, which depends on the numbers."""
    numbers = tuple(range(1, len(scene.counts) + 1))
    asked = enumerate(statements(scene)[1:], 1)
    return [Question(index, text, () if index in numbers else numbers, "") for index, text in asked]


def verdicts(arm: ArmResult) -> dict[str, tuple[Verdicts, Verdicts]]:
    """For the truth and each metric, which system of each pair is better: in three classes, and by the means."""
    systems = [f"{share:.0%}" for share in ERRORS]
    found = {}
    for name, scores in arm.items():
        own, verdict_of = (
            dict(zip(systems, np.asarray(scores), strict=True)),
            _people if name == TRUTH else metric_verdict,
        )
        three = {pair: verdict_of(own[pair[0]], own[pair[1]]) for pair in combinations(systems, 2)}
        found[name] = three, order_verdicts({system: float(values.mean()) for system, values in own.items()})
    return found


def _people(first: np.ndarray, second: np.ndarray) -> Verdict:
    wins = int((first > second).sum()), int((first < second).sum())
    return human_verdict(*wins, len(first) - sum(wins))


def metrics_against_truth(context: ClaimContext) -> Evidence:
    """The agreement of each metric with the truth over pairs of systems."""
    arms = {seed: context.arm("scored systems", seed, partial(scored_systems, seed)) for seed in context.seeds}
    found = {seed: verdicts(arm) for seed, arm in arms.items()}

    def pooled(name: str, kind: int) -> Verdicts:
        return {
            (f"{seed} {one}", f"{seed} {two}"): verdict
            for seed, own in found.items()
            for (one, two), verdict in own[name][kind].items()
        }

    truth, order = pooled(TRUTH, 0), pooled(TRUTH, 1)
    rows = [(name, str(agreement(truth, pooled(name, 0))), str(agreement(order, pooled(name, 1)))) for name in METRICS]
    both, right = joint_agreement(truth, pooled(STATEMENT, 0), pooled(QUESTIONS, 0))
    generator = np.random.default_rng(0)
    scenes = random_scenes(4, generator)
    shown = [drawn(scene, right, generator) for right in (True, False) for scene in scenes]
    return Evidence(
        "",
        [
            Measurement.over_seeds(
                f"agreement, {name}",
                {seed: agreement(own[TRUTH][0], own[name][0]).share for seed, own in found.items()},
            )
            for name in METRICS
        ],
        [
            Table(
                "Pairs of systems with the verdict of the truth", ("metric", "three classes", "order of means"), rows
            ),
            Table(
                "Statement and questions",
                ("verdicts that are equal", "of these, right"),
                [(str(both), str(right))],
            ),
            ImageGrid("Right pictures (above) and pictures with an error", np.stack(shown) / 255, columns=4, upscale=2),
        ],
    )
