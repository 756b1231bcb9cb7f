r"""Elo ratings from votes, by maximum likelihood over all comparisons of a board (paper, section 3.1).

With $\theta = R \ln 10 / 400$ and $d = \theta_i - \theta_j$, model i wins against j with probability $\sigma(d)$,
which is $1 / (1 + 10^{(R_j - R_i) / 400})$ (Bradley and Terry, 1952). Only differences matter; the mean of all ratings
is 1000. The paper does not state what was done with ties; there are four ways:

- drop: ties are left out;
- half: a tie is half a win of each;
- davidson: $P(\text{tie}) = \nu \sqrt{g_i g_j} / (g_i + g_j + \nu \sqrt{g_i g_j})$, $g = e^\theta$ (Davidson, 1970);
- rao-kupper: $P(\text{i wins}) = g_i / (g_i + \kappa g_j)$ and the same for j (Rao and Kupper, 1967).

The logarithm of the likelihood is concave in the ratings and in $\eta = \ln \nu$ or $\ln \kappa$, so that Newton's
method finds its maximum, where there is one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Bool, Float
from onepaper.config import check_choice, check_positive
from onepaper.errors import OnePaperError, UsageError
from scipy.sparse.csgraph import connected_components
from scipy.special import expit, ndtri

from imagen3.human.votes import pair_indices

Ties = Literal["drop", "half", "davidson", "rao-kupper"]
TIES: tuple[Ties, ...] = get_args(Ties)
MEAN, SCALE = 1000.0, 400 / np.log(10)
"""the anchor, and Elo points for one unit of theta"""
CONFIDENCE = 0.99
"""of intervals of ratings, as in the paper, figures 2 to 5"""
_TOLERANCE, _ITERATIONS, _LARGEST_STEP = 1e-10, 100, 2.0

Counts = Float[np.ndarray, "batch pairs 3"]
"""votes by pair of models and outcome: the first model wins, the second, a tie"""


Ends = tuple[Float[np.ndarray, " models"], Float[np.ndarray, " models"]]
"""lower and upper end of the interval of each rating"""


@dataclass(frozen=True, eq=False)
class Ratings:
    """Ratings of the models of a board in Elo points, with standard errors."""

    models: tuple[str, ...]
    elo: Float[np.ndarray, " models"]
    standard_error: Float[np.ndarray, " models"]
    tie_parameter: float | None = None
    """nu of Davidson or kappa of Rao and Kupper"""

    def half_width(self, confidence: float = CONFIDENCE) -> Float[np.ndarray, " models"]:
        """Half of each interval, from the curvature of the likelihood: for independent votes."""
        return float(ndtri((1 + confidence) / 2)) * self.standard_error

    def interval(self, confidence: float = CONFIDENCE) -> Ends:
        """Ends of that interval of each rating."""
        return self.elo - self.half_width(confidence), self.elo + self.half_width(confidence)

    def order(self) -> list[int]:
        """Numbers of the models, the highest rating first; of equal ones the earlier model."""
        return np.argsort(-self.elo, kind="stable").tolist()


def fit_ratings(
    models: Sequence[str], counts: Float[np.ndarray, "pairs 3"], ties: Ties = "drop", prior_sd: float | None = None
) -> Ratings:
    r"""Ratings of maximum likelihood, with $\mathrm{se} = \frac{400}{\ln 10} \sqrt{\mathrm{diag}(L^+)}$.

    $L$ is the negative second derivative of the log-likelihood; without ties it is the Laplacian of the graph of
    comparisons with weights $n_{ij} p_{ij} (1 - p_{ij})$.

    Args:
        models: names, at least two.
        counts: votes by pair (`imagen3.human.votes.pair_indices`) and outcome; they need not be whole numbers.
        ties: what is done with ties.
        prior_sd: standard deviation in Elo points of a normal prior around the mean of all ratings. With it there are
            ratings even where a model won or lost every comparison. None: no prior.

    Raises:
        UsageError: other shapes, counts below 0, or no finite ratings: models are not connected by comparisons, some
            won all against the others, or a model of ties is asked of votes without ties.
    """
    check_choice("ties", ties, TIES)
    if prior_sd is not None:
        check_positive("prior_sd", prior_sd)
    pairs = len(pair_indices(len(models))[0])
    if len(models) < 2 or counts.shape != (pairs, 3) or not np.isfinite(counts).all() or (counts < 0).any():
        raise UsageError(
            f"counts for {len(models)} models have shape {counts.shape}, expected at least two models and finite "
            f"counts of at least 0 with shape {(pairs, 3)}"
        )
    if prior_sd is None:
        _explain_existence(models, counts, ties)
    fit = fit_batch(counts[None], len(models), ties, prior_sd)
    if not np.isfinite(fit.elo).all():
        raise UsageError(f"ties '{ties}' needs votes with ties and without; use drop or half")
    tie_parameter = None if fit.eta is None else float(np.exp(fit.eta[0]))
    return Ratings(tuple(models), fit.elo[0], fit.standard_error[0], tie_parameter)


class Fit(NamedTuple):
    """Ratings of several boards of the same models; NaN where the likelihood has no maximum."""

    elo: Float[np.ndarray, "batch models"]
    standard_error: Float[np.ndarray, "batch models"]
    eta: Float[np.ndarray, " batch"] | None


def fit_batch(counts: Counts, models: int, ties: Ties = "drop", prior_sd: float | None = None) -> Fit:
    """`fit_ratings` of many boards at once, such as the resamples of a bootstrap.

    Raises:
        OnePaperError: Newton's method did not converge.
    """
    has_eta = ties in ("davidson", "rao-kupper")
    exists = np.ones(len(counts), bool) if prior_sd is not None else _connected(_beats(counts, models, ties))
    if has_eta:
        exists &= (counts[..., 2].sum(1) > 0) & (counts[..., :2].sum((1, 2)) > 0)
    kept = counts[exists]
    size = models + has_eta
    values = np.zeros((len(kept), size))
    if has_eta:
        values[:, -1] = 0.5
    # Only differences matter: without this the equations would have no unique solution.
    pinned = np.zeros((size, size))
    pinned[:models, :models] = 1.0
    precision = np.zeros(size)
    precision[:models] = 0.0 if prior_sd is None else (SCALE / prior_sd) ** 2
    for _ in range(_ITERATIONS if len(kept) else 0):
        gradient, information = _derivatives(values, kept, models, ties)
        gradient = gradient - precision * values
        step = np.linalg.solve(information + np.diag(precision) + pinned, gradient[..., None])[..., 0]
        step *= np.minimum(1, _LARGEST_STEP / np.abs(step).max(1, keepdims=True).clip(1e-300))
        moved = values + step
        if ties == "rao-kupper":  # kappa is above 1
            moved[:, -1] = np.maximum(moved[:, -1], values[:, -1] / 4)
        values = moved
        if np.abs(step).max() < _TOLERANCE:
            break
    else:
        if len(kept):
            raise OnePaperError("the ratings did not converge; give more votes, or a prior")
    covariance = np.linalg.pinv(_derivatives(values, kept, models, ties)[1] + np.diag(precision), hermitian=True)
    centring = np.eye(models) - 1 / models
    variance = np.einsum("ij,bjk,ik->bi", centring, covariance[:, :models, :models], centring)
    elo, errors, eta = (np.full(shape, np.nan) for shape in ((len(counts), models),) * 2 + ((len(counts),),))
    theta = values[:, :models]
    elo[exists] = MEAN + SCALE * (theta - theta.mean(1, keepdims=True))
    errors[exists] = SCALE * np.sqrt(variance.clip(0))
    if has_eta:
        eta[exists] = values[:, -1]
    return Fit(elo, errors, eta if has_eta else None)


def _derivatives(
    values: Float[np.ndarray, "batch size"], counts: Counts, models: int, ties: Ties
) -> tuple[Float[np.ndarray, "batch size"], Float[np.ndarray, "batch size size"]]:
    """Gradient and negative second derivative of the log-likelihood by theta and eta."""
    first, second = pair_indices(models)
    differences = np.zeros((len(first), models))
    differences[np.arange(len(first)), first], differences[np.arange(len(first)), second] = 1, -1
    d = values[:, first] - values[:, second]
    wins, losses, tied = counts[..., 0], counts[..., 1], counts[..., 2]
    if ties in ("drop", "half"):
        half = tied / 2 if ties == "half" else 0.0
        total, p = wins + losses + 2 * half, expit(d)
        gradient, information = wins + half - total * p, total * p * (1 - p)
        return gradient @ differences, (differences.T * information[:, None]) @ differences
    pair_terms = _davidson if ties == "davidson" else _rao_kupper
    by_d, by_eta, dd, d_eta, eta_eta = pair_terms(d, values[:, -1:], wins, losses, tied)
    whole = np.empty((len(values), models + 1, models + 1))
    whole[:, :models, :models] = (differences.T * dd[:, None]) @ differences
    whole[:, :models, -1] = whole[:, -1, :models] = d_eta @ differences
    whole[:, -1, -1] = eta_eta.sum(1)
    return np.concatenate([by_d @ differences, by_eta.sum(1, keepdims=True)], 1), whole


Pairs = Float[np.ndarray, "batch pairs"]


def _davidson(
    d: Pairs, eta: Float[np.ndarray, "batch 1"], wins: Pairs, losses: Pairs, tied: Pairs
) -> tuple[Pairs, Pairs, Pairs, Pairs, Pairs]:
    """First derivatives by d and eta, and the three negative second ones, of each pair.

    The outcomes have the logits d/2, -d/2 and eta.
    """
    logits = np.stack([d / 2, -d / 2, np.broadcast_to(eta, d.shape)])
    chances = np.exp(logits - logits.max(0))
    won, lost, tie = chances / chances.sum(0)
    total, mean = wins + losses + tied, (won - lost) / 2
    return (
        (wins - losses) / 2 - total * mean,
        tied - total * tie,
        total * ((won + lost) / 4 - mean**2),
        -total * mean * tie,
        total * tie * (1 - tie),
    )


def _rao_kupper(
    d: Pairs, eta: Float[np.ndarray, "batch 1"], wins: Pairs, losses: Pairs, tied: Pairs
) -> tuple[Pairs, Pairs, Pairs, Pairs, Pairs]:
    r"""As `_davidson`.

    The probabilities are $\sigma(d - \eta)$, $\sigma(-d - \eta)$ and for a tie
    $\sigma(d + \eta)\, \sigma(\eta - d)\, (1 - e^{-2\eta})$.
    """
    upper, lower = expit(d - eta), expit(d + eta)
    by_upper, by_lower = wins - (wins + tied) * upper, tied - (tied + losses) * lower
    curved_upper, curved_lower = (wins + tied) * upper * (1 - upper), (tied + losses) * lower * (1 - lower)
    grown = np.expm1(2 * eta)
    return (
        by_upper + by_lower,
        by_lower - by_upper + tied * 2 / grown,
        curved_upper + curved_lower,
        curved_lower - curved_upper,
        curved_upper + curved_lower + tied * 4 * (grown + 1) / grown**2,
    )


def _beats(counts: Counts, models: int, ties: Ties) -> Bool[np.ndarray, "batch models models"]:
    """Whether the model of the row has a win against that of the column; a tie is one for both unless dropped."""
    first, second = pair_indices(models)
    either = counts[..., 2] > 0 if ties != "drop" else np.zeros(counts.shape[:2], bool)
    beats = np.zeros((len(counts), models, models), bool)
    beats[:, first, second] = (counts[..., 0] > 0) | either
    beats[:, second, first] = (counts[..., 1] > 0) | either
    return beats


def _connected(beats: Bool[np.ndarray, "batch models models"]) -> Bool[np.ndarray, " batch"]:
    """Whether each model reaches every other one along wins: the maximum exists just then (Ford, 1957)."""
    reached = (beats | np.eye(beats.shape[1], dtype=bool)).astype(float)
    for _ in range(beats.shape[1].bit_length()):
        reached = np.minimum(reached @ reached, 1)
    return np.asarray((reached > 0).all((1, 2)))


def _explain_existence(models: Sequence[str], counts: Float[np.ndarray, "pairs 3"], ties: Ties) -> None:
    """Raise `UsageError` with the groups of models between which there are no ratings."""
    beats = _beats(counts[None], len(models), ties)[0]
    for kind in ("weak", "strong"):
        number, group = connected_components(beats, connection=kind)
        if number == 1:
            continue
        names = [[model for model, own in zip(models, group, strict=True) if own == label] for label in range(number)]
        if kind == "weak":
            groups = "; ".join(", ".join(own) for own in names)
            raise UsageError(f"no comparison connects these groups of models: {groups}; rate pairs across them")
        # Of the groups, one has no losses to the others.
        best = next(own for own in range(number) if not beats[group != own][:, group == own].any())
        others = [model for model, own in zip(models, group, strict=True) if own != best]
        raise UsageError(
            f"there are no finite ratings: {', '.join(names[best])} never lost to {', '.join(others)}; collect more "
            "votes, or give a prior (prior_sd)"
        )
