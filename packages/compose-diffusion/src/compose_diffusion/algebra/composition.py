"""Compositions of diffusion models: leaves (one model each) and operators on their log densities.

An expression maps the log densities L_i of its leaves to one log density L(L_1, ..., L_n), by the same formula at every
noise level (paper, compositional operators). By the chain rule its score is sum_i (dL / dL_i) score_i, and its noise
prediction is the same sum of noise predictions, so a node only provides its value and these derivatives. Each distinct
leaf is evaluated once, and leaves that share a network are evaluated in one batch.

    >>> product = ring & bar                     # AND: densities multiply
    >>> either = left | right                    # OR: densities add; needs energies
    >>> mostly = 0.7 * left | 0.3 * right        # OR with mixing weights
    >>> without = 1.3 * big - 0.3 * small        # NOT, as the official code weighs it
    >>> frame = big & ~small                     # NOT of strength 0.3
    >>> cold = product @ 2.0                     # tempering
    >>> half = product / 2                       # the same by 1 / 2
    >>> guided = guidance(unconditional, [red, round_], [4.0, 4.0])

The command line accepts the same operators as text; see `language`.
"""

import importlib
import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Never, Self, cast

import torch
from jaxtyping import Float
from onepaper.config import check_positive
from onepaper.errors import UsageError
from torch import Tensor, nn

from compose_diffusion.diffusion import NoiseSchedule, noise_from_score

# A number, one number for each level (a tensor [levels]), or a function of the level.
Weight = float | int | Tensor | Callable[[int], float]
# Derivative of the composed log density by a leaf's: one number, or one for each sample [batch].
Sensitivity = float | Tensor

# Strength of `a & ~b`: weight of the negated log density in the official toy notebook.
NEGATION_STRENGTH = 0.3


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A density at one level: log density up to a constant (None if unknown), its gradient, and the noise prediction.

    `noise` is -sigma_t * score. Leaves whose network predicts noise store the prediction itself, so that the reverse
    step does not use a value that was divided by sigma_t and multiplied again.
    """

    log_density: Float[Tensor, " batch"] | None
    score: Float[Tensor, "batch *event"]
    noise: Float[Tensor, "batch *event"] | None = None

    def predicted_noise(self, t: int, schedule: NoiseSchedule) -> Float[Tensor, "batch *event"]:
        """The noise prediction; computed from the score if `noise` is None."""
        return self.noise if self.noise is not None else noise_from_score(self.score, t, schedule)


class Expression(ABC):
    """A density at every noise level: a leaf or a formula of leaves, see the module docstring for the operators."""

    @property
    @abstractmethod
    def has_energy(self) -> bool:
        """Whether log densities are available, which Metropolis tests and mixtures need."""

    @abstractmethod
    def leaves(self, t: int | None = None) -> "list[Leaf]":
        """Distinct leaves in order of first use; given t, only those with a nonzero weight at that level."""

    @abstractmethod
    def energy_leaves(self, t: int) -> "list[Leaf]":
        """Leaves whose log density the score itself depends on (inside mixtures and floored negations)."""

    @abstractmethod
    def combine(
        self, t: int, log_densities: "dict[Leaf, Tensor | None]"
    ) -> "tuple[Tensor | None, dict[Leaf, Sensitivity]]":
        """Composed log density and its derivative by each leaf's log density."""

    def evaluate(self, x: Tensor, t: int, *, energy: bool = True) -> Evaluation:
        """Log density (None if `energy` is False or a leaf has none), score and noise prediction at level t.

        Args:
            x: [batch, *event].
            t: noise level, 0 .. T - 1, the same for every sample.
            energy: whether to compute the log density; without it, leaves compute only their score where possible.

        Raises:
            UsageError: a leaf returned a shape that does not fit x.
        """
        needing_energy = set(self.energy_leaves(t))
        energy = energy and self.has_energy
        leaves = self.leaves(t)
        evaluations = evaluate_leaves(leaves, x, t, {leaf: energy or leaf in needing_energy for leaf in leaves})
        log_density, sensitivities = self.combine(
            t, {leaf: evaluation.log_density for leaf, evaluation in evaluations.items()}
        )
        score = _weighted_sum([(sensitivities[leaf], evaluations[leaf].score) for leaf in leaves], x)
        noises = [(sensitivities[leaf], noise) for leaf in leaves if (noise := evaluations[leaf].noise) is not None]
        noise = _weighted_sum(noises, x) if len(noises) == len(leaves) else None
        return Evaluation(log_density if energy else None, score, noise)

    def target(self, t: int) -> Callable[[Tensor], tuple[Tensor | None, Tensor]]:
        """Log density and score at level t as one function of x, the form that MCMC kernels take."""

        def target(x: Tensor) -> tuple[Tensor | None, Tensor]:
            evaluation = self.evaluate(x, t)
            return evaluation.log_density, evaluation.score

        return target

    def to(self, device: torch.device | str) -> Self:
        """Move the networks of all leaves, in place as `torch.nn.Module.to` does; returns the expression."""
        for leaf in self.leaves():
            for network in leaf.networks:
                network.to(device)
        return self

    @abstractmethod
    def __repr__(self) -> str:
        """The formula, with each leaf as its class and model."""

    def __and__(self, other: "Expression | Negated") -> "WeightedProduct":
        if isinstance(other, Negated):
            return self._flat().joined(other.term, -other.strength)
        return WeightedProduct([self, other], [1.0, 1.0])

    def __invert__(self) -> "Negated":
        """~b, for use in a & ~b: L_a - 0.3 L_b; `negation` takes any strength."""
        return Negated(self)

    # For a Negated operand Python then calls the operator of `Negated`, which raises an error.
    def __add__(self, other: "Expression | Negated") -> "WeightedProduct":
        return NotImplemented if isinstance(other, Negated) else self._flat().joined(other, 1.0)

    def __sub__(self, other: "Expression | Negated") -> "WeightedProduct":
        return NotImplemented if isinstance(other, Negated) else self._flat().joined(other, -1.0)

    def _flat(self) -> "WeightedProduct":
        """As a product to which terms can be added, so that 1.3 * a - 0.3 * b becomes one product of two terms."""
        return WeightedProduct([self], [1.0])

    def __mul__(self, weight: Weight) -> "Scaled":
        return Scaled(self, weight)

    def __rmul__(self, weight: Weight) -> "Scaled":
        return Scaled(self, weight)

    def __truediv__(self, divisor: float) -> "Scaled":
        if divisor == 0:
            raise UsageError("an expression was divided by 0, expected another number; leave the term out instead")
        return self * (1 / divisor)

    def __matmul__(self, inverse_temperature: Weight) -> "WeightedProduct":
        return WeightedProduct([self], [inverse_temperature])

    def __or__(self, other: "Expression | Negated") -> "Mixture":
        """Mixture, 0.7 * a | 0.3 * b with mixing weights; a chain a | b | c is one mixture of three."""
        if isinstance(other, Negated):
            return NotImplemented
        mixing_weights = [*_mixing_terms(self), *_mixing_terms(other)]
        return Mixture.from_mixing_weights(
            [term for term, _ in mixing_weights], [proportion for _, proportion in mixing_weights]
        )


class Leaf(Expression, ABC):
    """One model. Subclasses give `has_energy` and `evaluate`; those that can share a network call also `batch_key`."""

    # Noise levels of the leaf, which must equal those of the sampler; None if any levels are allowed.
    schedule: NoiseSchedule | None = None

    @property
    def networks(self) -> "list[nn.Module]":
        """Networks of the leaf: attributes that are modules, or methods of one."""
        owners = [getattr(value, "__self__", value) for value in vars(self).values()]
        return [owner for owner in owners if isinstance(owner, nn.Module)]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(type(network).__name__ for network in self.networks)})"

    @property
    def batch_key(self) -> Hashable | None:
        """Leaves with equal keys are evaluated by one call of `evaluate_together`; None means separately."""
        return None

    @abstractmethod
    def evaluate(self, x: Tensor, t: int, *, energy: bool = True) -> Evaluation:
        """Log density (if the leaf has one and `energy` is set), score, and the noise prediction of a network."""

    @classmethod
    def evaluate_together(cls, leaves: "Sequence[Leaf]", x: Tensor, t: int, *, energy: bool) -> list[Evaluation]:
        """Evaluate leaves with equal `batch_key`; by default one after the other."""
        return [leaf.evaluate(x, t, energy=energy) for leaf in leaves]

    @staticmethod
    def from_diffusers(model: Any, **options: Any) -> "Leaf":
        """A diffusers model, pipeline or pipeline folder as a leaf; arguments of `pretrained.from_diffusers`."""
        # Imported when called: the algebra is a lower layer than the code that loads models.
        return importlib.import_module("compose_diffusion.pretrained").from_diffusers(model, **options)

    def leaves(self, t: int | None = None) -> "list[Leaf]":
        """The leaf itself."""
        return [self]

    def energy_leaves(self, t: int) -> "list[Leaf]":
        """No leaf: the score of a leaf does not depend on its log density."""
        return []

    def combine(
        self, t: int, log_densities: "dict[Leaf, Tensor | None]"
    ) -> "tuple[Tensor | None, dict[Leaf, Sensitivity]]":
        """L and dL / dL = 1."""
        return log_densities[self], {self: 1.0}


def evaluate_leaves(leaves: Sequence[Leaf], x: Tensor, t: int, energy: dict[Leaf, bool]) -> dict[Leaf, Evaluation]:
    """Evaluate each leaf once, leaves with equal batch keys in one call; results are in the order of `leaves`.

    Args:
        leaves: distinct.
        x: [batch, *event].
        t: noise level.
        energy: for each leaf, whether to compute its log density.

    Raises:
        UsageError: a leaf returned a shape that does not fit x.
    """
    groups: dict[Hashable, list[Leaf]] = {}
    for leaf in leaves:
        key = leaf if leaf.batch_key is None else (type(leaf), leaf.batch_key)
        groups.setdefault(key, []).append(leaf)
    found: dict[Leaf, Evaluation] = {}
    for group in groups.values():
        wanted = any(energy[leaf] for leaf in group)
        if len(group) == 1:
            evaluations = [group[0].evaluate(x, t, energy=wanted)]
        else:
            evaluations = type(group[0]).evaluate_together(group, x, t, energy=wanted)
        found.update(zip(group, evaluations, strict=True))
    for leaf, evaluation in found.items():
        _check_shapes(leaf, evaluation, x)
    return {leaf: found[leaf] for leaf in leaves}


def _check_shapes(leaf: Leaf, evaluation: Evaluation, x: Tensor) -> None:
    if evaluation.score.shape != x.shape:
        raise UsageError(
            f"{type(leaf).__name__} gave a score of shape {tuple(evaluation.score.shape)} for samples of shape "
            f"{tuple(x.shape)}, expected equal shapes; compose models of the same data shape"
        )
    if evaluation.log_density is not None and evaluation.log_density.shape != x.shape[:1]:
        raise UsageError(
            f"{type(leaf).__name__} gave log densities of shape {tuple(evaluation.log_density.shape)}, expected "
            f"{tuple(x.shape[:1])}; sum an energy over all axes but the first"
        )


def _weighted_sum(terms: "Sequence[tuple[Sensitivity, Tensor]]", x: Tensor) -> Tensor:
    total: Tensor | None = None
    for weight, field in terms:
        if isinstance(weight, Tensor):
            scaled = weight.reshape(-1, *[1] * (x.ndim - 1)).to(field.dtype) * field
        else:
            scaled = field if weight == 1.0 else weight * field
        total = scaled if total is None else total + scaled
    return total if total is not None else torch.zeros_like(x)


def _weight_at(weight: Weight, t: int) -> float:
    if isinstance(weight, Tensor):
        return float(weight[t])
    return float(weight(t)) if callable(weight) else float(weight)


def _check_weight(weight: Weight) -> None:
    if isinstance(weight, Tensor):
        if weight.ndim != 1 or not bool(weight.isfinite().all()):
            raise UsageError(
                f"weight tensor has shape {tuple(weight.shape)}, expected [levels] with finite numbers; give one "
                "weight for each noise level"
            )
    elif not callable(weight) and not math.isfinite(weight):
        raise UsageError(f"weight is {weight}, expected a finite number; leave the term out instead")


def _distinct(terms: Sequence[Expression], collect: Callable[[Expression], list[Leaf]]) -> list[Leaf]:
    return list(dict.fromkeys(leaf for term in terms for leaf in collect(term)))


def _accumulate(total: dict[Leaf, Sensitivity], factor: Sensitivity, part: dict[Leaf, Sensitivity]) -> None:
    """Chain rule: add factor * part to the total of each leaf."""
    for leaf, sensitivity in part.items():
        contribution = factor * sensitivity
        total[leaf] = total[leaf] + contribution if leaf in total else contribution


class WeightedProduct(Expression):
    """L = sum_i w_i L_i: products, negation (negative weights), tempering and guidance.

    A term with weight 0 at a level is not evaluated at that level.

    Args:
        terms: at least one expression.
        weights: one for each term, see `Weight`.
    """

    def __init__(self, terms: Sequence[Expression], weights: Sequence[Weight]) -> None:
        if not terms or len(terms) != len(weights):
            raise UsageError(
                f"product has {len(terms)} terms and {len(weights)} weights, expected at least one term and a weight "
                "for each"
            )
        for weight in weights:
            _check_weight(weight)
        self.terms = tuple(terms)
        self.weights = tuple(weights)

    @property
    def has_energy(self) -> bool:
        """Whether every term has one."""
        return all(term.has_energy for term in self.terms)

    def _weighted_terms(self, t: int) -> list[tuple[Expression, float]]:
        weighted = [(term, _weight_at(weight, t)) for term, weight in zip(self.terms, self.weights, strict=True)]
        return [(term, weight) for term, weight in weighted if weight != 0.0 and term.leaves(t)]

    def leaves(self, t: int | None = None) -> list[Leaf]:
        """Distinct leaves of the terms; at a level, of those whose weight there is not 0."""
        terms = self.terms if t is None else [term for term, _ in self._weighted_terms(t)]
        return _distinct(terms, lambda term: term.leaves(t))

    def energy_leaves(self, t: int) -> list[Leaf]:
        """Those of the terms."""
        return _distinct([term for term, _ in self._weighted_terms(t)], lambda term: term.energy_leaves(t))

    def combine(
        self, t: int, log_densities: dict[Leaf, Tensor | None]
    ) -> tuple[Tensor | None, dict[Leaf, Sensitivity]]:
        """sum_i w_i L_i; the derivative by term i is w_i."""
        weighted = self._weighted_terms(t)
        total: dict[Leaf, Sensitivity] = {}
        values: list[tuple[float, Tensor]] = []
        for term, weight in weighted:
            value, sensitivities = term.combine(t, log_densities)
            _accumulate(total, weight, sensitivities)
            if value is not None:
                values.append((weight, value))
        if len(values) < len(weighted) or not values:
            return None, total
        return cast(Tensor, sum(weight * value for weight, value in values)), total

    def _flat(self) -> "WeightedProduct":
        return self

    def __repr__(self) -> str:
        weighted = zip(self.terms, self.weights, strict=True)
        if len(self.terms) > 1 and all(isinstance(weight, float | int) and weight == 1 for weight in self.weights):
            return " & ".join(map(_operand, self.terms))
        return " + ".join(f"{_shown(weight)} * {_operand(term)}" for term, weight in weighted)

    def joined(self, other: Expression, factor: float) -> "WeightedProduct":
        """This product and factor * other, as one flat product."""
        terms, weights = list(self.terms), list(self.weights)
        if isinstance(other, WeightedProduct):
            terms += other.terms
            weights += [_scaled(weight, factor) for weight in other.weights]
        else:
            terms.append(other)
            weights.append(factor)
        _warn_if_improper(weights)
        return WeightedProduct(terms, weights)


class Scaled(WeightedProduct):
    """w * expression: the log density times w; as a term of a mixture, mixing weight w.

    Args:
        term: the expression.
        weight: see `Weight`; only a number above 0 can be a mixing weight.
    """

    def __init__(self, term: Expression, weight: Weight) -> None:
        super().__init__([term], [weight])

    def __mul__(self, weight: Weight) -> "Scaled":
        """One coefficient for 3 * a / 4, which a mixture reads as mixing weight 0.75."""
        number = isinstance(weight, int | float)
        return Scaled(self.terms[0], _scaled(self.weights[0], weight)) if number else super().__mul__(weight)

    __rmul__ = __mul__

    def __matmul__(self, inverse_temperature: Weight) -> "Scaled":
        """Temper the term and keep the coefficient, which a mixture reads as a mixing weight."""
        return Scaled(self.terms[0] @ inverse_temperature, self.weights[0])


class Negated:
    """~b, an operand of `a & ~b` only, whose log density is L_a - strength * L_b."""

    def __init__(self, term: Expression, strength: float = NEGATION_STRENGTH) -> None:
        self.term = term
        self.strength = strength

    def __and__(self, other: "Expression | Negated") -> WeightedProduct:
        return other & self if isinstance(other, Expression) else self._refuse(other)

    def _refuse(self, _other: object = None) -> Never:
        raise UsageError(
            "~b was used alone, expected a & ~b: a negated model is not a density, it divides another one; for "
            "another strength use negation(a, b, strength)"
        )

    __or__ = __ror__ = __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __matmul__ = _refuse

    def __invert__(self) -> Never:
        self._refuse()


def _scaled(weight: Weight, factor: float) -> Weight:
    if callable(weight) and not isinstance(weight, Tensor):
        function = weight
        return lambda t: factor * function(t)
    return factor * cast("float | Tensor", weight)


def _warn_if_improper(weights: Sequence[Weight]) -> None:
    """Warn if the weights sum to 0 or less: far from the data all noised densities have equal tails, which then do not
    decay."""
    fixed = [weight for weight in weights if isinstance(weight, Tensor | float | int)]
    if len(fixed) < len(weights):
        return
    total = torch.as_tensor(sum(fixed), dtype=torch.float64)
    if bool((total <= 0).any()):
        warnings.warn(
            f"weights of the composed densities sum to {total.min().item():.3g}, expected a sum above 0: the composed "
            "density grows without bound far out, and samplers will run away; weaken the negation or floor it",
            UserWarning,
            stacklevel=4,
        )


class Mixture(Expression):
    """L = log sum_i pi_i exp(L_i); its score averages the terms' scores, weighted by responsibility.

    Log densities of trained energies are known up to a constant for each level; calibrated constants can be given as
    `log_weights` of shape [levels, terms], see `calibration`.

    Args:
        terms: at least one expression, each with an energy.
        log_weights: [terms] or [levels, terms], log pi_i up to a common constant; equal and normalised if absent.

    Raises:
        UsageError: no term, log weights that do not fit, or a term without log density.
    """

    def __init__(self, terms: Sequence[Expression], log_weights: Tensor | Sequence[float] | None = None) -> None:
        if not terms:
            raise UsageError("mixture of 0 terms, expected at least one")
        _require_energy(terms, "a mixture", "how much each term counts at x depends on how dense each term is there")
        self.terms = tuple(terms)
        # Lets a chain of | extend one mixture. None if log weights were given.
        self.mixing_weights = (1.0,) * len(terms) if log_weights is None else None
        if log_weights is None:
            self.log_weights = torch.full((len(terms),), -math.log(len(terms)), dtype=torch.float64)
        else:
            self.log_weights = torch.as_tensor(log_weights, dtype=torch.float64)
        if self.log_weights.ndim not in (1, 2) or self.log_weights.shape[-1] != len(terms):
            raise UsageError(
                f"mixture log_weights have shape {tuple(self.log_weights.shape)}, expected [{len(terms)}] or "
                f"[levels, {len(terms)}]; give one number for each term"
            )

    @classmethod
    def from_mixing_weights(cls, terms: Sequence[Expression], mixing_weights: Sequence[float]) -> "Mixture":
        """The mixture of normalised mixing weights share_i / sum_j share_j."""
        if any(proportion != mixing_weights[0] for proportion in mixing_weights):
            built = cls(terms, [math.log(proportion / math.fsum(mixing_weights)) for proportion in mixing_weights])
        else:
            built = cls(terms)
        built.mixing_weights = tuple(mixing_weights)
        return built

    @property
    def has_energy(self) -> bool:
        """Always: the terms have one."""
        return True

    def leaves(self, t: int | None = None) -> list[Leaf]:
        """Distinct leaves of the terms."""
        return _distinct(self.terms, lambda term: term.leaves(t))

    def energy_leaves(self, t: int) -> list[Leaf]:
        """All of them."""
        return self.leaves(t)

    def combine(
        self, t: int, log_densities: dict[Leaf, Tensor | None]
    ) -> tuple[Tensor | None, dict[Leaf, Sensitivity]]:
        """logsumexp_i(L_i + log pi_i); the derivative by term i is its responsibility."""
        combined = [term.combine(t, log_densities) for term in self.terms]
        values = torch.stack([cast(Tensor, value) for value, _ in combined], dim=1)
        weighted = values + (self.log_weights if self.log_weights.ndim == 1 else self.log_weights[t]).to(values)
        responsibilities = torch.softmax(weighted, dim=1)
        total: dict[Leaf, Sensitivity] = {}
        for index, (_, sensitivities) in enumerate(combined):
            _accumulate(total, responsibilities[:, index], sensitivities)
        return torch.logsumexp(weighted, dim=1), total

    def __repr__(self) -> str:
        if self.mixing_weights is None:
            shape = tuple(self.log_weights.shape)
            return f"mixture([{', '.join(map(repr, self.terms))}], log_weights of shape {shape})"
        weighted = zip(self.terms, self.mixing_weights, strict=True)
        return " | ".join(f"{'' if weight == 1 else f'{weight:g} * '}{_operand(term)}" for term, weight in weighted)


def _mixing_terms(expression: Expression) -> list[tuple[Expression, float]]:
    """The terms and mixing weights of an operand of `|`: a mixture, a scaled term, or one term of weight 1."""
    if isinstance(expression, Mixture) and expression.mixing_weights is not None:
        return list(zip(expression.terms, expression.mixing_weights, strict=True))
    if not isinstance(expression, Scaled):
        return [(expression, 1.0)]
    (proportion,) = expression.weights
    if not isinstance(proportion, int | float) or proportion <= 0:
        raise UsageError(
            f"mixing weight is {proportion if isinstance(proportion, int | float) else 'not one number'}, expected a "
            "number above 0 in front of a term of |; temper a term with @, and use mixture(terms, log_weights) for "
            "weights of each level"
        )
    return [(expression.terms[0], float(proportion))]


class FlooredNegation(Expression):
    """L = L_0 - a log(q_1 + floor): the negation has no effect where the negated density is far below the floor.

    Plain negation of noised boxes has its maximum outside the base's support near level 0, because both tails are
    Gaussian there; a floor keeps the base's tails. The floor is an absolute density, so the negated term must be a
    normalised density or an energy with a known normaliser.

    Args:
        base: the density to keep.
        other: the density to negate, with an energy.
        strength: a, at least 0.
        floor: density of `other` below which it has little effect, above 0.
    """

    def __init__(self, base: Expression, other: Expression, strength: Weight, floor: float) -> None:
        check_positive("negation floor", floor)
        _check_weight(strength)
        _require_energy([other], "a floored negation", "whether it has fallen below the floor depends on its density")
        self.base = base
        self.other = other
        self.strength = strength
        self.log_floor = math.log(floor)

    @property
    def has_energy(self) -> bool:
        """Whether the base has one; the negated term always has."""
        return self.base.has_energy

    def leaves(self, t: int | None = None) -> list[Leaf]:
        """Distinct leaves of both."""
        return _distinct([self.base, self.other], lambda term: term.leaves(t))

    def energy_leaves(self, t: int) -> list[Leaf]:
        """All leaves of the negated term, and those that the base needs."""
        return list(dict.fromkeys(self.base.energy_leaves(t) + self.other.leaves(t)))

    def combine(
        self, t: int, log_densities: dict[Leaf, Tensor | None]
    ) -> tuple[Tensor | None, dict[Leaf, Sensitivity]]:
        """L_0 - a log(exp(L_1) + floor); the derivative by L_1 is -a q_1 / (q_1 + floor)."""
        strength = _weight_at(self.strength, t)
        base, base_sensitivities = self.base.combine(t, log_densities)
        other, other_sensitivities = self.other.combine(t, log_densities)
        other = cast(Tensor, other)
        total: dict[Leaf, Sensitivity] = {}
        _accumulate(total, 1.0, base_sensitivities)
        _accumulate(total, -strength * torch.sigmoid(other - self.log_floor), other_sensitivities)
        if base is None:
            return None, total
        return base - strength * torch.logaddexp(other, torch.full_like(other, self.log_floor)), total

    def __repr__(self) -> str:
        return f"negation({self.base}, {self.other}, {_shown(self.strength)}, floor={math.exp(self.log_floor):g})"


def _operand(term: Expression) -> str:
    return repr(term) if isinstance(term, Leaf | FlooredNegation) else f"({term!r})"


def _shown(weight: Weight) -> str:
    return f"{weight:g}" if isinstance(weight, float | int) else "w(t)"


def _require_energy(terms: Sequence[Expression], what: str, reason: str) -> None:
    without = [type(leaf).__name__ for term in terms for leaf in term.leaves() if not leaf.has_energy]
    if without:
        raise UsageError(
            f"{what} was given {', '.join(dict.fromkeys(without))}, which has only a score, expected log densities: "
            f"{reason}; use models trained as energies (EnergyLeaf) or exact densities (ExactLeaf)"
        )


def product(*terms: Expression) -> WeightedProduct:
    """AND: sum of log densities."""
    return WeightedProduct(terms, [1.0] * len(terms))


def mixture(terms: Sequence[Expression], log_weights: Tensor | Sequence[float] | None = None) -> Mixture:
    """OR: log of the weighted sum of densities, see `Mixture`."""
    return Mixture(terms, log_weights)


def guidance(
    unconditional: Expression, conditionals: Sequence[Expression], weights: Sequence[Weight]
) -> WeightedProduct:
    """Conditional AND: L_u + sum_i w_i (L_i - L_u); one conditional of weight 1 is the conditional itself."""
    if not conditionals or len(conditionals) != len(weights):
        raise UsageError(
            f"guidance has {len(conditionals)} conditionals and {len(weights)} weights, expected at least one "
            "conditional and a weight for each"
        )

    def unconditional_weight(t: int) -> float:
        return 1.0 - sum(_weight_at(weight, t) for weight in weights)

    return WeightedProduct([unconditional, *conditionals], [unconditional_weight, *weights])


def classifier_guidance(leaf: Expression, classifier: Expression, scale: Weight) -> WeightedProduct:
    """L + scale * log p(y | x_t), classifier guidance."""
    return WeightedProduct([leaf, classifier], [1.0, scale])


def negation(
    base: Expression, other: Expression, strength: Weight, floor: float | None = None
) -> WeightedProduct | FlooredNegation:
    """NOT: L_0 - a L_1, or with a floor L_0 - a log(q_1 + floor), see `FlooredNegation`.

    Warns if a >= 1 without a floor: the weights then sum to 0 or less, and the density does not decay.
    """
    if floor is not None:
        return FlooredNegation(base, other, strength, floor)
    weights: list[Weight] = [1.0, _scaled(strength, -1.0)]
    _warn_if_improper(weights)
    return WeightedProduct([base, other], weights)
