"""A composition of exact densities as one compiled loop over the samples, where the toy's arithmetic is the cost.

As it stands, every operation of every leaf passes over all samples once more. `compiled(expression)` is the same
density with all operations fused by `torch.compile`. What changes with the noise level is passed in, so that one
compilation serves all levels and both precisions. Networks are compiled by themselves: give their leaf
`torch.compile(network)`.

    >>> fast = compiled(ExactLeaf(ring(), schedule) & ExactLeaf(bar(), schedule))
    >>> draw(fast, schedule, (100_000, 2), SamplerOptions(), torch.Generator().manual_seed(0))
"""

import warnings
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from onepaper.errors import UsageError
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._pytree import tree_flatten, tree_unflatten

from compose_diffusion.composition import Evaluation, Expression, Leaf, Sensitivity
from compose_diffusion.distributions import RowwiseDistribution, coordinate_rows
from compose_diffusion.leaves import ExactLeaf

# Takes points [dim, batch] and the flattened constants of all leaves; returns log density [batch], score [dim, batch].
Program = Callable[..., tuple[Tensor, Tensor]]

# Compilations of one expression before it is left as it stands: another number of samples takes a new one, and so does
# every level at which the expression combines its leaves differently.
MOST_PROGRAMS = 8


@dataclass(frozen=True, eq=False)
class _Level:
    """What evaluations at one level share: the leaves, their constants flattened, and how the leaves combine."""

    leaves: tuple[Leaf, ...]
    constants: tuple[Tensor, ...]
    structure: Any
    signature: Hashable


class CompiledExpression(Expression):
    """The density of `expression`, evaluated by compiled code; see `compiled`."""

    def __init__(self, expression: Expression) -> None:
        leaves = expression.leaves()
        self.expression = expression
        self.dim = _common_dimension(leaves)
        self._alpha_bars = {leaf: _alpha_bars(leaf) for leaf in leaves}
        generator = torch.Generator().manual_seed(0)
        self._probes = {leaf: torch.randn(7, generator=generator, dtype=torch.float64) for leaf in leaves}
        self._levels: dict[tuple[int, torch.device], _Level] = {}
        self._programs: dict[Hashable, Program] = {}

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
            energy: whether the log density is wanted; it costs nothing here.

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
        log_density, score = self._program(points, level, t)(points, *level.constants)
        score = score.T.to(x.dtype, memory_format=torch.contiguous_format, copy=True)
        return Evaluation(log_density.to(x.dtype) if energy else None, score)

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
        """How the leaves combine at level t, told by what the expression makes of probes.

        Products are sums of log densities times weights, one for each leaf, which are passed in; other formulas are
        traced, without weights, and levels share a program if the numbers they give are the same.
        """
        if not leaves:
            return (), "nothing"
        value, sensitivities = self.combine(t, {leaf: self._probes[leaf] for leaf in leaves})
        value, told = cast(Tensor, value), [sensitivities[leaf] for leaf in leaves]
        if not any(isinstance(sensitivity, Tensor) for sensitivity in told):
            weights = torch.tensor(told, dtype=torch.float64)
            if torch.allclose(weights @ torch.stack([self._probes[leaf] for leaf in leaves]), value):
                return weights.unbind(), "sum"
        numbers = [torch.as_tensor(part, dtype=torch.float64).flatten().tolist() for part in (value, *told)]
        return (), tuple(map(tuple, numbers))

    def _program(self, points: Tensor, level: _Level, t: int) -> Program:
        key = (level.signature, points.shape, points.device)
        if key not in self._programs:
            self._programs[key] = self._compile(points, level, t)
        return self._programs[key]

    def _compile(self, points: Tensor, level: _Level, t: int) -> Program:
        def program(points: Tensor, *constants: Tensor) -> tuple[Tensor, Tensor]:
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
            # Rows of coordinates: a sensitivity [batch] multiplies a score [dim, batch] as it is.
            score = sum(sensitivities[leaf] * scores[leaf] for leaf in level.leaves)
            return cast(Tensor, log_density), cast(Tensor, score)

        if len(self._programs) >= MOST_PROGRAMS:
            _warn(f"expression needs more than {MOST_PROGRAMS} compilations (numbers of samples, weights per level)")
            return program
        return _with_fallback(program)


def compiled(expression: Expression) -> CompiledExpression:
    """The same density, its evaluation compiled when first used: a matter of seconds, then several times as fast.

    Samplers take it as any other expression, and equal seeds give the samples of the expression itself up to rounding.
    As a term of a larger expression it counts as the leaves it has and is evaluated leaf by leaf, so compile the
    outermost one. Where nothing can compile (no C++ compiler on the machine), a warning says so, once, and the same
    formulas run as they stand. Scores are not differentiable.

    Raises:
        UsageError: a leaf other than an `ExactLeaf` of Gaussians, boxes or mixtures of them.
    """
    return CompiledExpression(expression)


def _with_fallback(plain: Program) -> Program:
    """`plain`, compiled when first called; as it stands, and with a warning, where that fails."""
    chosen: list[Program] = []

    def program(points: Tensor, *constants: Tensor) -> tuple[Tensor, Tensor]:
        if chosen:
            return chosen[0](points, *constants)
        try:
            with torch.no_grad():
                traced = make_fx(plain)(points, *constants)
            fast = cast(Program, torch.compile(traced, fullgraph=True, dynamic=False))
            found = fast(points, *constants)
        # Of this type are the failures of tracing, of torch.compile and of the compiler it calls.
        except RuntimeError as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            _warn(f"expression could not be compiled ({reason[0]})")
            chosen.append(plain)
            return plain(points, *constants)
        chosen.append(fast)
        return found

    return program


def _warn(reason: str) -> None:
    warnings.warn(f"{reason}; it is evaluated as it stands, with the same numbers", RuntimeWarning, stacklevel=2)


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
