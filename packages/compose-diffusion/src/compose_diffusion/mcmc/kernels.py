"""MCMC transition kernels at one noise level (paper, Algorithm 1), as functions from a chain's state to the next.

A target maps positions [batch, *event] to (log density [batch] or None, score [batch, *event]). Each sample is a
separate chain with its own accept decision. The state stores log density and score of the current position, so a
Langevin step costs one evaluation of the target and a Hamiltonian step `num_leapfrog`. Proposals with a non-finite log
density, score or position are rejected and counted, also by the unadjusted kernels.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from onepaper.config import check_between, check_positive
from onepaper.errors import UsageError
from torch import Tensor

# A zero-dimensional tensor is not checked for its sign: compiled steps are traced with one.
StepSize = float | Tensor
Target = Callable[[Tensor], tuple[Tensor | None, Tensor]]
# Number of points of a line integral; "path" for the points of the trajectory; None to use log densities.
LinePoints = int | Literal["path"] | None


@dataclass(frozen=True, eq=False)
class ChainState:
    """Positions of all chains with log density and score there; `momentum` for the Hamiltonian kernels only."""

    x: Float[Tensor, "batch *event"]
    log_density: Float[Tensor, " batch"] | None
    score: Float[Tensor, "batch *event"]
    momentum: Float[Tensor, "batch *event"] | None = None


@dataclass(frozen=True, eq=False)
class StepInfo:
    """Statistics of one step.

    Attributes:
        acceptance: mean acceptance probability over the chains; of unadjusted kernels, the fraction of finite
            proposals.
        accepted: which chains accepted.
        gradient_evaluations: evaluations of the target, for every chain.
        non_finite: number of proposals that were not finite.
    """

    acceptance: Float[Tensor, ""]
    accepted: Bool[Tensor, " batch"]
    gradient_evaluations: int
    non_finite: Float[Tensor, ""]


@dataclass(frozen=True, eq=False)
class StepNoise:
    """Random numbers of one step, drawn in advance in the order in which a kernel draws them.

    Attributes:
        normal: for the proposal or the momentum.
        uniform: for the Metropolis test; None for unadjusted kernels.
    """

    normal: Float[Tensor, "batch *event"]
    uniform: Float[Tensor, " batch"] | None = None


Randomness = torch.Generator | StepNoise
# Called with a chain's state, the target, the step size and the randomness.
Kernel = Callable[[ChainState, Target, StepSize, Randomness], tuple[ChainState, StepInfo]]


@runtime_checkable
class FusingTarget(Protocol):
    """A target with its own implementation of a kernel's step, which is faster than the kernel itself."""

    def __call__(self, x: Tensor) -> tuple[Tensor | None, Tensor]:
        """Log density and score."""
        ...

    def fused(self, kernel: Kernel) -> Kernel:
        """The same kernel for this target only."""
        ...


def draw_step_noise(x: Float[Tensor, "batch *event"], generator: torch.Generator, *, adjusted: bool) -> StepNoise:
    """Draw the random numbers of one step from x; `adjusted` for MALA and HMC."""
    normal = _normal_like(x, generator)
    return StepNoise(normal, _uniform_like(x[:, 0] if x.ndim > 1 else x, generator) if adjusted else None)


def init_state(target: Target, x: Float[Tensor, "batch *event"], momentum: Tensor | None = None) -> ChainState:
    """The state at x; evaluates the target once."""
    log_density, score = target(x)
    return ChainState(x, log_density, score, momentum)


def ula(state: ChainState, target: Target, step_size: StepSize, generator: Randomness) -> tuple[ChainState, StepInfo]:
    r"""Unadjusted Langevin: $x' = x + h g(x) + \sqrt{2h}\, \xi$; its bias grows with h."""
    proposal = _langevin_proposal(state, target, step_size, generator)
    usable = _is_finite(proposal)
    return _select(usable, proposal, state), _step_info(usable.to(state.x.dtype), usable, 1, usable)


def mala(
    state: ChainState,
    target: Target,
    step_size: StepSize,
    generator: Randomness,
    *,
    line_points: LinePoints = None,
) -> tuple[ChainState, StepInfo]:
    r"""Metropolis-adjusted Langevin: the proposal of ULA, accepted with probability min(1, exp a),

    $a = L(x') - L(x) + \frac{|x' - x - h g(x)|^2 - |x - x' - h g(x')|^2}{4h}$.

    Args:
        line_points: replace L(x') - L(x) by the line integral of the score, for targets without a log density; "path"
            uses the 2 end points.
    """
    proposal = _langevin_proposal(state, target, step_size, generator)
    forward = proposal.x - state.x - step_size * state.score
    backward = state.x - proposal.x - step_size * proposal.score
    points = 2 if line_points == "path" else line_points
    difference, extra = _log_density_difference(state, proposal, target, points)
    log_ratio = difference + (_squared_norm(forward) - _squared_norm(backward)) / (4 * step_size)
    usable = _is_finite(proposal)
    probability = _acceptance_probability(log_ratio, usable)
    accepted = _accept(probability, generator)
    return _select(accepted, proposal, state), _step_info(probability, accepted, 1 + extra, usable)


def uhmc(
    state: ChainState,
    target: Target,
    step_size: StepSize,
    generator: Randomness,
    *,
    num_leapfrog: int = 3,
    damping: float = 0.5,
    mass: float = 1.0,
) -> tuple[ChainState, StepInfo]:
    """Unadjusted Hamiltonian: partial refreshment of the momentum, then `num_leapfrog` leapfrog steps."""
    refreshed = _refresh_momentum(state, generator, damping, mass)
    proposal = leapfrog(refreshed, target, step_size, num_leapfrog, mass)
    usable = _is_finite(proposal)
    moved = _select(usable, proposal, refreshed)
    return moved, _step_info(usable.to(state.x.dtype), usable, num_leapfrog, usable)


def hmc(
    state: ChainState,
    target: Target,
    step_size: StepSize,
    generator: Randomness,
    *,
    num_leapfrog: int = 3,
    damping: float = 0.5,
    mass: float = 1.0,
    line_points: LinePoints = None,
) -> tuple[ChainState, StepInfo]:
    r"""Hamiltonian with partial refreshment: the proposal of U-HMC, accepted with probability min(1, exp a),

    $a = L(x') - L(x) + \frac{|v|^2 - |v'|^2}{2M}$, v being the refreshed momentum. A rejected chain negates its
    momentum; otherwise the target is not invariant under partial refreshment (Horowitz, 1991).

    Args:
        damping: fraction of the momentum that is kept, 0 to 1.
        mass: mass M of every coordinate.
        line_points: replace L(x') - L(x) by the line integral of the score, for targets without a log density: along
            the straight line with this many points, or with "path" along the leapfrog trajectory without further
            evaluations.
    """
    refreshed = _refresh_momentum(state, generator, damping, mass)
    path: list[ChainState] = []
    proposal = leapfrog(refreshed, target, step_size, num_leapfrog, mass, path=path)
    if line_points == "path":
        difference, extra = path_integral([refreshed, *path]), 0
    else:
        difference, extra = _log_density_difference(refreshed, proposal, target, line_points)
    kinetic = _squared_norm(_momentum(refreshed)) - _squared_norm(_momentum(proposal))
    usable = _is_finite(proposal)
    probability = _acceptance_probability(difference + kinetic / (2 * mass), usable)
    accepted = _accept(probability, generator)
    moved = _select(accepted, proposal, replace(refreshed, momentum=-_momentum(refreshed)))
    return moved, _step_info(probability, accepted, num_leapfrog + extra, usable)


def leapfrog(
    state: ChainState,
    target: Target,
    step_size: StepSize,
    num_steps: int,
    mass: float = 1.0,
    *,
    path: list[ChainState] | None = None,
) -> ChainState:
    """v += h/2 g; then num_steps times x += h v / M and v += h g, with half a step at the end. Reversible and volume
    preserving.

    If `path` is given, the state after each step is appended to it.
    """
    _check_step_size(step_size)
    check_positive("num_leapfrog", num_steps)
    check_positive("mass", mass)
    momentum = _momentum(state) + 0.5 * step_size * state.score
    for step in range(num_steps):
        x = state.x + step_size / mass * momentum
        log_density, score = target(x)
        momentum = momentum + (0.5 if step == num_steps - 1 else 1.0) * step_size * score
        state = ChainState(x, log_density, score, momentum)
        if path is not None:
            path.append(state)
    return state


def path_integral(path: Sequence[ChainState]) -> Float[Tensor, " batch"]:
    r"""$\int g \cdot dx$ along a sequence of states, by the trapezoid rule.

    Uses the scores of the states and needs no further evaluation (Sjöberg et al., 2023).
    """
    steps = [0.5 * (before.score + after.score) * (after.x - before.x) for before, after in pairwise(path)]
    return sum(steps[1:], steps[0]).flatten(1).sum(dim=1)


def draw_momentum(
    x: Float[Tensor, "batch *event"], generator: Randomness, mass: float = 1.0
) -> Float[Tensor, "batch *event"]:
    """Momentum from N(0, M I)."""
    check_positive("mass", mass)
    return math.sqrt(mass) * _normal_like(x, generator)


def line_integral(target: Target, start: ChainState, end: ChainState, num_points: int) -> Float[Tensor, " batch"]:
    r"""$\int_0^1 g(x + r (x' - x)) \cdot (x' - x)\, dr$ by the trapezoid rule (Sjöberg et al., 2023).

    Equals L(x') - L(x) up to the quadrature error if the score is a gradient field. The scores at both ends are known,
    so it costs num_points - 2 evaluations.
    """
    if num_points < 2:
        raise UsageError(f"line_points is {num_points}, expected at least the 2 ends of the line")
    direction = end.x - start.x
    total = 0.5 * (start.score + end.score)
    for point in range(1, num_points - 1):
        total = total + target(start.x + point / (num_points - 1) * direction)[1]
    return (total * direction).flatten(1).sum(dim=1) / (num_points - 1)


def _langevin_proposal(state: ChainState, target: Target, step_size: StepSize, generator: Randomness) -> ChainState:
    _check_step_size(step_size)
    noise = _normal_like(state.x, generator)
    x = state.x + step_size * state.score + (2 * step_size) ** 0.5 * noise
    return replace(init_state(target, x), momentum=state.momentum)


def _refresh_momentum(state: ChainState, generator: Randomness, damping: float, mass: float) -> ChainState:
    """v <- gamma v + sqrt(1 - gamma^2) M^(1/2) xi, which leaves N(0, M) invariant."""
    check_between("damping", damping, 0.0, 1.0)
    fresh = draw_momentum(state.x, generator, mass)
    if state.momentum is None:
        return replace(state, momentum=fresh)
    return replace(state, momentum=damping * state.momentum + math.sqrt(1 - damping**2) * fresh)


def _log_density_difference(
    state: ChainState, proposal: ChainState, target: Target, line_points: int | None
) -> tuple[Tensor, int]:
    """L(x') - L(x), and the number of evaluations in addition to those of the proposal."""
    if line_points is not None:
        return line_integral(target, state, proposal, line_points), line_points - 2
    if state.log_density is None or proposal.log_density is None:
        raise UsageError(
            "the target gives no log density, expected one for the Metropolis test of MALA and HMC; use models with an "
            "energy, or ula or uhmc, or set line_points"
        )
    return proposal.log_density - state.log_density, 0


def _acceptance_probability(log_ratio: Tensor, usable: Tensor) -> Tensor:
    probability = torch.exp(log_ratio.clamp(max=0.0))
    return torch.where(usable & ~log_ratio.isnan(), probability, torch.zeros_like(probability))


def _accept(probability: Tensor, generator: Randomness) -> Tensor:
    return _uniform_like(probability, generator) < probability


def _is_finite(state: ChainState) -> Tensor:
    """For each chain, whether position, score and log density (if any) are finite."""
    # x - x is 0 for finite x only: one sum over all values is faster than isfinite, which takes four passes.
    gaps = ((state.x - state.x) + (state.score - state.score)).flatten(1).sum(dim=1)
    return (gaps if state.log_density is None else gaps + (state.log_density - state.log_density)) == 0


def _select(chosen: Tensor, new: ChainState, old: ChainState) -> ChainState:
    """For each chain, the new state if chosen, else the old one."""
    # Expanded once: torch.where is several times slower when it broadcasts the condition itself.
    everywhere = chosen.reshape(-1, *[1] * (new.x.ndim - 1)).expand(new.x.shape).contiguous()

    def pick(condition: Tensor, new_values: Tensor | None, old_values: Tensor | None) -> Tensor | None:
        if new_values is None or old_values is None:
            return None
        return torch.where(condition, new_values, old_values)

    return ChainState(
        torch.where(everywhere, new.x, old.x),
        pick(chosen, new.log_density, old.log_density),
        torch.where(everywhere, new.score, old.score),
        pick(everywhere, new.momentum, old.momentum),
    )


def _step_info(probability: Tensor, accepted: Tensor, gradient_evaluations: int, usable: Tensor) -> StepInfo:
    return StepInfo(probability.mean(), accepted, gradient_evaluations, (~usable).sum().to(probability.dtype))


def _momentum(state: ChainState) -> Tensor:
    if state.momentum is None:
        raise UsageError("chain has no momentum, expected one for a leapfrog step; start it with draw_momentum")
    return state.momentum


def _check_step_size(step_size: StepSize) -> None:
    if not isinstance(step_size, Tensor):
        check_positive("step size", step_size)


def _normal_like(x: Tensor, generator: Randomness) -> Tensor:
    if isinstance(generator, StepNoise):
        return generator.normal
    return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)


def _uniform_like(values: Tensor, generator: Randomness) -> Tensor:
    if not isinstance(generator, StepNoise):
        return torch.rand(values.shape, generator=generator, dtype=values.dtype, device=values.device)
    if generator.uniform is None:
        raise UsageError("the draws of an unadjusted move were given to MALA or HMC, expected draws with a uniform")
    return generator.uniform


def _squared_norm(x: Tensor) -> Tensor:
    return x.flatten(1).square().sum(dim=1)
