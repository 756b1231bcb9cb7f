"""Compilation of a composition of exact densities into one loop over the samples, by `torch.compile`.

Without compilation every operation of every leaf is a separate pass over all samples. `compiled(expression)` is the
same density with all operations fused, and the MCMC steps of a kernel are fused with the density. Values that depend on
the noise level are arguments, so one compilation serves all levels. Networks are compiled separately: give
`torch.compile(network)` to their leaf.

    >>> fast = compiled(ExactLeaf(ring(), schedule) & ExactLeaf(bar(), schedule))
    >>> draw(fast, schedule, (100_000, 2), SamplerOptions(), torch.Generator().manual_seed(0))
"""

import warnings
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from onepaper.errors import UsageError
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._pytree import tree_flatten, tree_unflatten

from compose_diffusion.algebra.composition import Evaluation, Expression, Leaf, Sensitivity
from compose_diffusion.algebra.leaves import ExactLeaf
from compose_diffusion.data.distributions import RowwiseDistribution, coordinate_rows
from compose_diffusion.mcmc.kernels import (
    ChainState,
    Kernel,
    Randomness,
    StepInfo,
    StepNoise,
    StepSize,
    Target,
    draw_step_noise,
    hmc,
    mala,
    uhmc,
    ula,
)

# Tensors to tensors. That of a density takes points [dim, batch] and the flattened constants of all leaves, and returns
# log density [batch] and score [dim, batch].
Program = Callable[..., tuple[Tensor, ...]]

# Maximal number of compilations of one expression: one for each number of samples, kernel, and way in which the
# expression combines its leaves at a level. Further programs run without compilation.
MOST_PROGRAMS = 16

# Kernels whose steps are compiled; those with a Metropolis test draw a uniform number.
ADJUSTED = (mala, hmc)
KERNELS = (ula, uhmc, *ADJUSTED)


@dataclass(frozen=True, eq=False)
class _Level:
    """Data of one level: the leaves, their flattened constants, and how the leaves combine."""

    leaves: tuple[Leaf, ...]
    constants: tuple[Tensor, ...]
    structure: Any
    signature: Hashable


class CompiledExpression(Expression):
    """The density of an expression, evaluated by compiled code; see `compiled`."""

    def __init__(self, expression: Expression) -> None:
        leaves = expression.leaves()
        self.expression = expression
        self.dim = _common_dimension(leaves)
        self._alpha_bars = {leaf: _alpha_bars(leaf) for leaf in leaves}
        generator = torch.Generator().manual_seed(0)
        self._probes = {leaf: torch.randn(7, generator=generator, dtype=torch.float64) for leaf in leaves}
        self._levels: dict[tuple[int, torch.device], _Level] = {}
        self._programs: dict[Hashable, Program] = {}
        # Evaluations of one step of each program, known after tracing.
        self._evaluations: dict[Hashable, int] = {}
        self._compiles = True

    @property
    def has_energy(self) -> bool:
        """Always: every leaf is exact."""
        return True

    def leaves(self, t: int | None = None) -> list[Leaf]:
        """Those of the expression."""
        return self.expression.leaves(t)

    def energy_leaves(self, t: int) -> list[Leaf]:
        """Those of the expression."""
        return self.expression.energy_leaves(t)

    def combine(
        self, t: int, log_densities: dict[Leaf, Tensor | None]
    ) -> tuple[Tensor | None, dict[Leaf, Sensitivity]]:
        """As the expression does."""
        return self.expression.combine(t, log_densities)

    def evaluate(self, x: Tensor, t: int, *, energy: bool = True) -> Evaluation:
        """Log density and score at level t, in x's dtype; the arithmetic is float64.

        Args:
            x: [batch, dim].
            t: noise level, 0 .. T - 1.
            energy: whether to return the log density, which is always computed.

        Raises:
            UsageError: points of another dimension.
        """
        if x.shape[1:] != (self.dim,):
            raise UsageError(
                f"samples have shape {tuple(x.shape)}, expected [batch, {self.dim}]; give points of the dimension of "
                "the compiled densities"
            )
        level = self._level(t, x.device)
        if not level.leaves:  # every weight is 0 here
            return self.expression.evaluate(x, t, energy=energy)
        points = coordinate_rows(x)
        key = (level.signature, points.shape, points.device)
        program = self._program(key, lambda: self._density(level, t))
        log_density, score = program(points, *level.constants)
        score = score.T.to(x.dtype, memory_format=torch.contiguous_format, copy=True)
        return Evaluation(log_density.to(x.dtype) if energy else None, score)

    def __repr__(self) -> str:
        return f"compiled({self.expression!r})"

    def target(self, t: int) -> "CompiledTarget":
        """Log density and score at level t, and compiled MCMC steps."""
        return CompiledTarget(self, t)

    def move(
        self, kernel: Kernel, state: ChainState, t: int, step_size: float, generator: torch.Generator
    ) -> tuple[ChainState, StepInfo]:
        """One MCMC step at level t, kernel and density compiled together; used by `CompiledTarget.fused`."""
        level = self._level(t, state.x.device)
        function, keywords = (kernel.func, kernel.keywords) if isinstance(kernel, partial) else (kernel, {})
        if not level.leaves or function not in KERNELS or not self._compiles or state.log_density is None:
            return kernel(state, self.target(t), step_size, generator)
        draws = draw_step_noise(state.x, generator, adjusted=function in ADJUSTED)
        given = _present(state.x, state.log_density, state.score, state.momentum)
        drawn = _present(draws.normal, draws.uniform)
        step = torch.tensor(step_size, dtype=torch.float64, device=state.x.device)
        kind = (function, *sorted(keywords.items()), state.x.shape, state.x.dtype, state.x.device, len(given))
        key = (level.signature, kind)
        program = self._program(key, lambda: self._whole_move(key, kernel, level, t, len(given)))
        *moved, probability, accepted, non_finite = program(step, *given, *drawn, *level.constants)
        return ChainState(*moved), StepInfo(probability, accepted, self._evaluations[key], non_finite)

    def _level(self, t: int, device: torch.device) -> _Level:
        if (t, device) not in self._levels:
            leaves = tuple(self.leaves(t))
            nested = [_rowwise(leaf).level_constants(self._alpha_bars[leaf][t], device) for leaf in leaves]
            weights, signature = self._combination(leaves, t)
            constants, structure = tree_flatten((nested, [weight.to(device) for weight in weights]))
            flat = tuple(cast(list[Tensor], constants))
            self._levels[t, device] = _Level(leaves, flat, structure, (leaves, signature))
        return self._levels[t, device]

    def _combination(self, leaves: Sequence[Leaf], t: int) -> tuple[Sequence[Tensor], Hashable]:
        """How the leaves combine at level t, found by evaluating the expression on probe values.

        A product is a weighted sum of log densities, whose weights are arguments of the program. Other formulas are
        traced without weights, and levels share a program if they give the same numbers.
        """
        if not leaves:
            return (), "nothing"
        value, sensitivities = self.combine(t, {leaf: self._probes[leaf] for leaf in leaves})
        value, derivatives = cast(Tensor, value), [sensitivities[leaf] for leaf in leaves]
        if not any(isinstance(sensitivity, Tensor) for sensitivity in derivatives):
            weights = torch.tensor(derivatives, dtype=torch.float64)
            if torch.allclose(weights @ torch.stack([self._probes[leaf] for leaf in leaves]), value):
                return weights.unbind(), "sum"
        numbers = [torch.as_tensor(part, dtype=torch.float64).flatten().tolist() for part in (value, *derivatives)]
        return (), tuple(map(tuple, numbers))

    def _program(self, key: Hashable, write: Callable[[], Program]) -> Program:
        if key not in self._programs:
            if len(self._programs) < MOST_PROGRAMS:
                self._programs[key] = self._compiled(write())
            else:
                _warn(f"expression needs more than {MOST_PROGRAMS} compilations (samples, weights per level, kernels)")
                self._programs[key] = write()
        return self._programs[key]

    def _density(self, level: _Level, t: int) -> Program:
        def density(points: Tensor, *constants: Tensor) -> tuple[Tensor, Tensor]:
            nested, weights = tree_unflatten(constants, level.structure)
            log_densities: dict[Leaf, Tensor | None] = {}
            scores: dict[Leaf, Tensor] = {}
            for leaf, part in zip(level.leaves, nested, strict=True):
                log_densities[leaf], scores[leaf] = _rowwise(leaf).noised_rows(points, part, branchless=True)
            if weights:
                sensitivities = dict(zip(level.leaves, weights, strict=True))
                log_density = sum(sensitivities[leaf] * cast(Tensor, log_densities[leaf]) for leaf in level.leaves)
            else:
                log_density, sensitivities = self.combine(t, log_densities)
            # A sensitivity [batch] broadcasts over a score [dim, batch].
            score = sum(sensitivities[leaf] * scores[leaf] for leaf in level.leaves)
            return cast(Tensor, log_density), cast(Tensor, score)

        return density

    def _whole_move(self, key: Hashable, kernel: Kernel, level: _Level, t: int, num_given: int) -> Program:
        density = self._density(level, t)

        def move(step_size: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
            given, drawn = values[:num_given], values[num_given : len(values) - len(level.constants)]
            constants = values[len(values) - len(level.constants) :]

            def target(x: Tensor) -> tuple[Tensor, Tensor]:
                log_density, score = density(coordinate_rows(x), *constants)
                return log_density.to(x.dtype), score.T.to(x.dtype)

            moved, info = kernel(ChainState(*given), target, step_size, StepNoise(*drawn))
            self._evaluations[key] = info.gradient_evaluations  # known once this has been traced
            state = _present(moved.x, moved.log_density, moved.score, moved.momentum)
            return (*state, info.acceptance, info.accepted, info.non_finite)

        return move

    def _compiled(self, plain: Program) -> Program:
        """`plain`, compiled on its first call; if that fails, `plain` itself, with one warning."""
        chosen: list[Program] = []

        def program(*values: Tensor) -> tuple[Tensor, ...]:
            if chosen:
                return chosen[0](*values)
            if not self._compiles:
                return plain(*values)
            try:
                with torch.no_grad():
                    traced = make_fx(plain)(*values)
                fast = cast(Program, torch.compile(traced, fullgraph=True, dynamic=False))
                found = fast(*values)
            # Tracing, torch.compile and the compiler it calls all raise this type.
            except RuntimeError as error:
                reason = str(error).strip().splitlines() or [type(error).__name__]
                _warn(f"expression could not be compiled ({reason[0]})")
                self._compiles = False
                return plain(*values)
            chosen.append(fast)
            return found

        return program


@dataclass(frozen=True, eq=False)
class CompiledTarget:
    """A compiled density at level t as a target of MCMC kernels."""

    expression: CompiledExpression
    t: int

    def __call__(self, x: Tensor) -> tuple[Tensor | None, Tensor]:
        """Log density and score at x."""
        evaluation = self.expression.evaluate(x, self.t)
        return evaluation.log_density, evaluation.score

    def fused(self, kernel: Kernel) -> Kernel:
        """The kernel on this target, compiled together with the density; equal up to rounding."""

        def fused(
            state: ChainState, target: Target, step_size: StepSize, generator: Randomness
        ) -> tuple[ChainState, StepInfo]:
            if isinstance(step_size, Tensor) or isinstance(generator, StepNoise):
                return kernel(state, target, step_size, generator)
            return self.expression.move(kernel, state, self.t, step_size, generator)

        return fused


def compiled(expression: Expression) -> CompiledExpression:
    """The same density with evaluation and MCMC steps compiled on first use (seconds), then several times as fast.

    Samplers accept it as any other expression, and equal seeds give the samples of the expression itself up to
    rounding. As a term of a larger expression it is evaluated leaf by leaf without compilation, so compile the
    outermost one. If compilation fails (for example without a C++ compiler), there is one warning and the formulas run
    uncompiled. Scores are not differentiable.

    Raises:
        UsageError: a leaf other than an `ExactLeaf` of Gaussians, boxes or mixtures of them.
    """
    return CompiledExpression(expression)


def _warn(reason: str) -> None:
    warnings.warn(f"{reason}; it is evaluated without compilation, with the same result", RuntimeWarning, stacklevel=2)


def _present(*tensors: Tensor | None) -> list[Tensor]:
    return [tensor for tensor in tensors if tensor is not None]


def _rowwise(leaf: Leaf) -> RowwiseDistribution:
    distribution = leaf.distribution if isinstance(leaf, ExactLeaf) else leaf
    if not isinstance(distribution, RowwiseDistribution):
        raise UsageError(
            f"compiled was given a {type(distribution).__name__}, expected exact densities of Gaussians, boxes and "
            "their mixtures; for a network give torch.compile(network) to its leaf"
        )
    return distribution


def _alpha_bars(leaf: Leaf) -> list[float]:
    return [] if leaf.schedule is None else [float(alpha_bar) for alpha_bar in leaf.schedule.alphas_cumprod]


def _common_dimension(leaves: Sequence[Leaf]) -> int:
    dims = sorted({_rowwise(leaf).dim for leaf in leaves})
    if len(dims) != 1:
        raise UsageError(f"densities have dimensions {dims}, expected one dimension; compose points of one space")
    return dims[0]
