r"""Preconditioned MCMC: the unchanged kernels, in coordinates in which the target is closer to isotropic.

With $x = L y$ the density of y has log density $L(L y)$ up to a constant and score $L^\top s(L y)$. A kernel that
leaves that density invariant leaves the target invariant after its chains are mapped back, so ULA, MALA, U-HMC and HMC
are all preconditioned by a choice of coordinates. Momentum and step sizes refer to these coordinates.

Preconditioners are fixed before a run. They may come from a pilot population (`estimate_preconditioner`,
`adaptation.warm_up_preconditioners`), never from the chains they are applied to.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from onepaper.config import check_choice
from onepaper.errors import UsageError
from torch import Tensor

from compose_diffusion.mcmc.kernels import Target

PRECONDITIONERS = ("diagonal", "full")


class Preconditioner(ABC):
    """A linear change of variables x = L y."""

    @abstractmethod
    def unwhiten(self, y: Float[Tensor, "batch *event"]) -> Float[Tensor, "batch *event"]:
        """x = L y."""

    @abstractmethod
    def whiten(self, x: Float[Tensor, "batch *event"]) -> Float[Tensor, "batch *event"]:
        """y = L^-1 x."""

    @abstractmethod
    def whiten_score(self, score: Float[Tensor, "batch *event"]) -> Float[Tensor, "batch *event"]:
        """Score with respect to y, L^T s."""

    @abstractmethod
    def unwhiten_score(self, score: Float[Tensor, "batch *event"]) -> Float[Tensor, "batch *event"]:
        """Score with respect to x, L^-T s."""


class DiagonalPreconditioner(Preconditioner):
    """One scale for each coordinate.

    Args:
        variances: [*event], above 0; the target's, or an estimate. Coordinates are divided by their square roots.

    Raises:
        UsageError: variances that are not finite numbers above 0.
    """

    def __init__(self, variances: Float[Tensor, "*event"]) -> None:
        if not bool((variances.isfinite() & (variances > 0)).all()):
            raise UsageError(
                f"preconditioner variances range from {variances.min().item():.3g} to {variances.max().item():.3g}, "
                "expected finite numbers above 0; leave out coordinates that do not vary"
            )
        self.scale = variances.double().sqrt()

    def unwhiten(self, y: Float[Tensor, "batch *event"]) -> Float[Tensor, "batch *event"]:
        """Each coordinate times its scale."""
        return self._scale_like(y) * y

    def whiten(self, x: Float[Tensor, "batch *event"]) -> Float[Tensor, "batch *event"]:
        """Each coordinate over its scale."""
        return x / self._scale_like(x)

    def whiten_score(self, score: Float[Tensor, "batch *event"]) -> Float[Tensor, "batch *event"]:
        """Each coordinate times its scale."""
        return self.unwhiten(score)

    def unwhiten_score(self, score: Float[Tensor, "batch *event"]) -> Float[Tensor, "batch *event"]:
        """Each coordinate over its scale."""
        return self.whiten(score)

    def _scale_like(self, x: Tensor) -> Tensor:
        if x.shape[1:] != self.scale.shape:
            raise UsageError(
                f"preconditioner has variances of shape {tuple(self.scale.shape)} for samples of shape "
                f"{tuple(x.shape)}, expected {tuple(x.shape[1:])}; estimate it from samples of this shape"
            )
        return self.scale.to(x)


class CovariancePreconditioner(Preconditioner):
    """L L^T = covariance with L lower triangular, over the flattened coordinates of a sample.

    Args:
        covariance: [dim, dim], symmetric and positive definite.

    Raises:
        UsageError: a matrix that is not symmetric or not positive definite.
    """

    def __init__(self, covariance: Float[Tensor, "dim dim"]) -> None:
        if not torch.allclose(covariance, covariance.mT, rtol=1e-4, atol=1e-7 * float(covariance.abs().max())):
            raise UsageError(
                "preconditioner covariance is not symmetric, expected symmetric; average with its transpose"
            )
        factor, failed = torch.linalg.cholesky_ex(covariance.double())
        if bool(failed) or not bool(factor.isfinite().all()):
            smallest = torch.linalg.eigvalsh(covariance.double().nan_to_num()).min().item()
            raise UsageError(
                f"preconditioner covariance has smallest eigenvalue {smallest:.3g}, expected a positive definite "
                "matrix; shrink it towards its diagonal, or use a diagonal one"
            )
        self.factor = factor

    def unwhiten(self, y: Float[Tensor, "batch *event"]) -> Float[Tensor, "batch *event"]:
        """L y."""
        return (self._rows(y) @ self.factor.to(y).mT).reshape(y.shape)

    def whiten(self, x: Float[Tensor, "batch *event"]) -> Float[Tensor, "batch *event"]:
        """L^-1 x, by substitution."""
        return torch.linalg.solve_triangular(self.factor.to(x), self._rows(x).mT, upper=False).mT.reshape(x.shape)

    def whiten_score(self, score: Float[Tensor, "batch *event"]) -> Float[Tensor, "batch *event"]:
        """L^T s."""
        return (self._rows(score) @ self.factor.to(score)).reshape(score.shape)

    def unwhiten_score(self, score: Float[Tensor, "batch *event"]) -> Float[Tensor, "batch *event"]:
        """L^-T s, by substitution."""
        rows = torch.linalg.solve_triangular(self.factor.to(score).mT, self._rows(score).mT, upper=True)
        return rows.mT.reshape(score.shape)

    def _rows(self, x: Tensor) -> Tensor:
        rows = x.flatten(1)
        if rows.shape[1] != len(self.factor):
            raise UsageError(
                f"preconditioner has {len(self.factor)} coordinates for samples of shape {tuple(x.shape)}, expected "
                f"{rows.shape[1]}; estimate it from samples of this shape"
            )
        return rows


Preconditioning = Preconditioner | Sequence[Preconditioner]


def preconditioner_at(preconditioning: Preconditioning | None, t: int) -> Preconditioner | None:
    """The preconditioner of level t: the same for all levels, or the t-th of a sequence."""
    if preconditioning is None or isinstance(preconditioning, Preconditioner):
        return preconditioning
    return preconditioning[t]


def check_preconditioning(preconditioning: Preconditioning | None, num_levels: int) -> None:
    """Raise `UsageError` unless there is one preconditioner for all levels, or one for each."""
    if isinstance(preconditioning, Sequence) and len(preconditioning) != num_levels:
        raise UsageError(
            f"{len(preconditioning)} preconditioners for {num_levels} levels, expected one for all or one for each; "
            "run the warm-up on this schedule"
        )


def preconditioned_target(target: Target, preconditioner: Preconditioner) -> Target:
    """The target in coordinates y: (log density, score) as functions of y."""

    def in_coordinates(y: Tensor) -> tuple[Tensor | None, Tensor]:
        log_density, score = target(preconditioner.unwhiten(y))
        return log_density, preconditioner.whiten_score(score)

    return in_coordinates


def estimate_preconditioner(
    x: Float[Tensor, "batch *event"], kind: Literal["diagonal", "full"] = "diagonal", *, shrinkage: float = 0.0
) -> Preconditioner:
    r"""Estimate a preconditioner from the covariance of all pilot samples, including the distances between modes.

    Args:
        x: independent chains, at least 2 ("diagonal"), or more than there are coordinates ("full").
        kind: "diagonal" or "full".
        shrinkage: a in (1 - a) C + a diag(C), 0 to 1; for few samples with many coordinates ("full" only).

    Raises:
        UsageError: too few samples, or coordinates that do not vary.
    """
    check_choice("preconditioner", kind, PRECONDITIONERS)
    rows = x.double().flatten(1)
    variances = rows.var(dim=0) if len(rows) > 1 else torch.full_like(rows[0], torch.nan)
    if kind == "diagonal":
        if len(rows) < 2:
            raise UsageError(f"{len(rows)} pilot samples, expected at least 2 to estimate variances from")
        return DiagonalPreconditioner(variances.reshape(x.shape[1:]))
    if not 0 <= shrinkage <= 1 or (len(rows) <= rows.shape[1] and shrinkage == 0):
        raise UsageError(
            f"{len(rows)} pilot samples of {rows.shape[1]} coordinates with shrinkage {shrinkage:g}, expected more "
            "samples than coordinates or a shrinkage up to 1; use kind 'diagonal'"
        )
    covariance = torch.cov(rows.mT).reshape(rows.shape[1], rows.shape[1])
    return CovariancePreconditioner((1 - shrinkage) * covariance + shrinkage * torch.diag(variances))
