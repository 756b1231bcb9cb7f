"""The metrics of the tasks: concordance, unweighted average recall, rank correlation and the multitask score.

Every metric refuses missing and non-finite values: a blind test split is an error, never a score of 0.
"""

import warnings
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from onepaper.config import check_choice
from onepaper.errors import UsageError

Variant = Literal["standard", "hume2022"]


def ccc(truth: ArrayLike, predicted: ArrayLike, variant: Variant = "standard") -> float:
    r"""Concordance correlation coefficient (Lin, 1989).

    $$\rho_c = \frac{2 \operatorname{cov}(x, y)}{\sigma_x^2 + \sigma_y^2 + (\mu_x - \mu_y)^2}$$

    Args:
        truth: ratings [clips].
        predicted: predictions [clips].
        variant: standard: population moments; hume2022: variances with N - 1 and covariance with N, rounded to 4
            digits, as in the official code of A-VB, so that equal vectors score (N - 1) / N.

    Raises:
        UsageError: unequal lengths, fewer than 2 clips, missing or infinite values, or both constant and equal.
    """
    check_choice("variant", variant, ("standard", "hume2022"))
    x, y = _pair(truth, predicted)
    ddof = 0 if variant == "standard" else 1
    covariance = ((x - x.mean()) * (y - y.mean())).mean()
    denominator = x.var(ddof=ddof) + y.var(ddof=ddof) + (x.mean() - y.mean()) ** 2
    if denominator == 0:
        raise UsageError("the concordance of two equal constants is undefined; expected values that vary")
    value = float(2 * covariance / denominator)
    return value if variant == "standard" else round(value, 4)


def mean_ccc(truth: ArrayLike, predicted: ArrayLike, variant: Variant = "standard") -> float:
    """Unweighted mean of `ccc` over the columns of [clips, targets].

    A clip without a value in a column of `truth` is left out of that column, as ratings of another country's raters are
    in the task A-VB Culture.

    Raises:
        UsageError: as `ccc`, or a column with fewer than 2 values.
    """
    return float(np.mean([ccc(x, y, variant) for x, y in _columns(truth, predicted)]))


def uar(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Unweighted average recall: the mean of the recall of every class that occurs in `truth`.

    A class without clips in `truth` is left out; predictions of it count as errors.

    Raises:
        UsageError: unequal lengths, or no clips.
    """
    x, y = np.asarray(truth), np.asarray(predicted)
    if x.shape != y.shape or x.ndim != 1 or not len(x):
        raise UsageError(f"classes have shapes {x.shape} and {y.shape}, expected equal lengths of at least 1")
    if x.dtype.kind == "f" and np.isnan(x).any():
        raise UsageError("classes are missing; a split without labels cannot be scored")
    return float(np.mean([(y[x == label] == label).mean() for label in np.unique(x)]))


def recall_weights(truth: ArrayLike) -> Float[np.ndarray, " clips"]:
    """Weights of the clips with which the mean of correct answers is the UAR: N / (classes x clips of the class)."""
    _, index, counts = np.unique(np.asarray(truth), return_inverse=True, return_counts=True)
    return len(index) / (len(counts) * counts[index])


def mean_spearman(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Unweighted mean over the columns of [clips, targets] of Spearman's rank correlation, ties at mean ranks.

    The official code of the emotion share task of ComParE 2023 computes it, where the text has "rho".

    Raises:
        UsageError: as `ccc`, or a column that is constant.
    """
    from scipy.stats import rankdata

    return _mean_correlation([np.stack([rankdata(x), rankdata(y)]) for x, y in _columns(truth, predicted)])


def mean_pearson(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Unweighted mean over the columns of [clips, targets] of Pearson's correlation, which A-VB reports beside the CCC.

    Raises:
        UsageError: as `mean_spearman`.
    """
    return _mean_correlation([np.stack([x, y]) for x, y in _columns(truth, predicted)])


def multitask_score(concordance: float, recall: float, mean_absolute_error: float) -> float:
    r"""$S_{MTL} = 3 / (1/\mathrm{CCC} + 1/\mathrm{UAR} + \mathrm{MAE})$, the harmonic mean with 1/MAE (paper, eq. 1).

    Args:
        concordance: mean CCC of the emotions.
        recall: UAR of the countries.
        mean_absolute_error: of the age, in years.

    Raises:
        UsageError: a value that is not finite, or a negative error.
    """
    values = (concordance, recall, mean_absolute_error)
    if not np.isfinite(values).all() or mean_absolute_error < 0:
        raise UsageError(f"CCC, UAR and MAE are {values}, expected finite numbers and an error of at least 0")
    if concordance <= 0 or recall <= 0:
        warnings.warn("the harmonic mean is undefined for CCC or UAR of 0 or below; the score is 0", stacklevel=2)
        return 0.0
    return 3.0 / (1 / concordance + 1 / recall + mean_absolute_error)


def _mean_correlation(pairs: list[Float[np.ndarray, "2 _n"]]) -> float:
    found = []
    for pair in pairs:
        if not np.isfinite(pair).all() or (pair == pair[:, :1]).all(axis=1).any():
            raise UsageError(
                "the correlation of a constant or of missing values is undefined; expected values that vary"
            )
        found.append(np.corrcoef(pair)[0, 1])
    return float(np.mean(found))


def _columns(truth: ArrayLike, predicted: ArrayLike) -> list[tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]]:
    x, y = np.asarray(truth, np.float64), np.asarray(predicted, np.float64)
    if x.shape != y.shape or x.ndim != 2:
        raise UsageError(f"ratings have shapes {x.shape} and {y.shape}, expected equal shapes [clips, targets]")
    if np.isnan(x).all():
        raise UsageError("all ratings are missing; a split without labels cannot be scored")
    pairs = []
    for column in range(x.shape[1]):
        present = ~np.isnan(x[:, column])
        pairs.append((x[present, column], y[present, column]))
    return pairs


def _pair(truth: ArrayLike, predicted: ArrayLike) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    x, y = np.asarray(truth, np.float64), np.asarray(predicted, np.float64)
    if x.shape != y.shape or x.ndim != 1 or len(x) < 2:
        raise UsageError(f"ratings have shapes {x.shape} and {y.shape}, expected equal lengths of at least 2")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise UsageError("ratings or predictions are missing or infinite; a split without labels cannot be scored")
    return x, y
