"""Oracle models: priors over tokens with an exact posterior, which separate errors of a sampler from those of a
network.

Each is a `Denoiser`: given noisy vectors [..., positions, n] and an SNR it returns log p(token at position | all v).
Each has the exact entropy, exact samples, and the exact log density of noisy vectors.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int, PRNGKeyArray
from onepaper.errors import UsageError

from simplex_cir.diffusion.posterior import UNKNOWN, Shape, log_evidence
from simplex_cir.diffusion.snr import Scalar


@dataclass(frozen=True, eq=False)
class IndependentPrior:
    """Independent positions with the same categorical distribution.

    Args:
        probabilities: [n], positive entries or zeros, normalised to sum to 1.
        a: stationary shapes of the process.
    """

    probabilities: Float[np.ndarray, " n"]
    a: Shape = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "probabilities", _normalised("probabilities", self.probabilities))
        _check_shape(self.a, self.num_categories)

    @property
    def num_categories(self) -> int:
        """n."""
        return len(self.probabilities)

    def entropy(self) -> float:
        r"""$-\sum_k \pi_k \log \pi_k$, nats a position."""
        return _entropy(self.probabilities)

    def sample(self, key: PRNGKeyArray, shape: tuple[int, ...]) -> Int[Array, "..."]:
        """Tokens of the given shape."""
        return jax.random.choice(key, self.num_categories, shape, p=jnp.asarray(self.probabilities))

    def admits(self, known: Int[np.ndarray, " positions"]) -> bool:
        """Whether a sequence with these tokens has a positive probability; `UNKNOWN` stands for any token."""
        return bool((self.probabilities[known[known != UNKNOWN]] > 0).all())

    def __call__(self, v: Float[Array, "*batch n"], snr: Scalar) -> Float[Array, "*batch n"]:
        """Log posterior (paper, eq. 18)."""
        return jax.nn.log_softmax(self._joint(v, snr), axis=-1)

    def log_likelihood_ratio(self, v: Float[Array, "*batch n"], snr: Scalar) -> Float[Array, " *batch"]:
        r"""$\log p_m(v) - \sum_i \log \mathrm{Gamma}(v_i; a, 1)$, for each position."""
        return jax.nn.logsumexp(self._joint(v, snr), axis=-1)

    def _joint(self, v: Float[Array, "*batch n"], snr: Scalar) -> Float[Array, "*batch n"]:
        _check_categories(v, self.num_categories)
        return _log(self.probabilities, v) + log_evidence(v, snr, self.a)


@dataclass(frozen=True, eq=False)
class MarkovPrior:
    """A Markov chain over positions: the exact posterior of every position by the forward-backward recursion.

    Args:
        initial: [n], distribution of the first token.
        transition: [n, n], row k the distribution of the token after k.
        a: stationary shapes of the process.
    """

    initial: Float[np.ndarray, " n"]
    transition: Float[np.ndarray, "rows columns"]
    a: Shape = 1.0

    def __post_init__(self) -> None:
        initial = _normalised("initial", self.initial)
        rows = [_normalised(f"transition[{row}]", values) for row, values in enumerate(np.asarray(self.transition))]
        transition = np.stack(rows)
        if transition.shape != (len(initial), len(initial)):
            raise UsageError(
                f"transition has shape {transition.shape} for {len(initial)} categories, expected a square matrix"
            )
        object.__setattr__(self, "initial", initial)
        object.__setattr__(self, "transition", transition)
        _check_shape(self.a, self.num_categories)

    @classmethod
    def fitted(cls, tokens: Int[np.ndarray, "count positions"], num_categories: int, a: Shape = 1.0) -> "MarkovPrior":
        """The chain of maximum likelihood, with half a count added to every pair so that none has probability 0."""
        tokens = np.asarray(tokens)
        initial = np.bincount(tokens[:, 0], minlength=num_categories) + 0.5
        pairs = np.full((num_categories, num_categories), 0.5)
        np.add.at(pairs, (tokens[:, :-1].ravel(), tokens[:, 1:].ravel()), 1.0)
        return cls(initial / initial.sum(), pairs / pairs.sum(axis=1, keepdims=True), a)

    @property
    def num_categories(self) -> int:
        """n."""
        return len(self.initial)

    def entropy(self, positions: int) -> float:
        """Entropy of a sequence of that many positions, nats."""
        distribution, total = self.initial, _entropy(self.initial)
        rows = np.array([_entropy(row) for row in self.transition])
        for _ in range(positions - 1):
            total += float(distribution @ rows)
            distribution = distribution @ self.transition
        return total

    def sample(self, key: PRNGKeyArray, count: int, positions: int) -> Int[Array, "count positions"]:
        """Exact sequences."""
        first_key, key = jax.random.split(key)
        log_transition = jnp.log(jnp.asarray(self.transition))
        first = jax.random.categorical(first_key, jnp.log(jnp.asarray(self.initial)), shape=(count,))

        def following(token: Array, step_key: Array) -> tuple[Array, Array]:
            token = jax.random.categorical(step_key, log_transition[token], axis=-1)
            return token, token

        _, rest = jax.lax.scan(following, first, jax.random.split(key, positions - 1))
        return jnp.concatenate([first[None], rest]).T

    def log_prob(self, tokens: Int[Array, "*batch positions"]) -> Float[Array, " *batch"]:
        """Log probability of sequences.

        Raises:
            UsageError: a token out of range, where tokens are concrete.
        """
        if not isinstance(tokens, Tracer):
            _check_tokens("sequence", np.asarray(tokens), self.num_categories)
        first = _log(self.initial)[tokens[..., 0]]
        return first + _log(self.transition)[tokens[..., :-1], tokens[..., 1:]].sum(axis=-1)

    def admits(self, known: Int[np.ndarray, " positions"]) -> bool:
        """Whether a sequence with these tokens has a positive probability; `UNKNOWN` stands for any token."""
        possible = self.initial > 0
        for position, token in enumerate(known):
            possible = possible if position == 0 else possible @ (self.transition > 0)
            possible = possible & ((np.arange(self.num_categories) == token) | (token == UNKNOWN))
        return bool(possible.any())

    def __call__(self, v: Float[Array, "*batch positions n"], snr: Scalar) -> Float[Array, "*batch positions n"]:
        """Log posterior marginals of every position given all noisy vectors."""
        forward, backward, _ = self._messages(v, snr)
        return jax.nn.log_softmax(forward + backward, axis=-1)

    def log_likelihood_ratio(self, v: Float[Array, "*batch positions n"], snr: Scalar) -> Float[Array, " *batch"]:
        """Log density of the noisy sequence relative to pure noise."""
        return self._messages(v, snr)[2]

    def _messages(self, v: Array, snr: Scalar) -> tuple[Array, Array, Array]:
        """Forward messages (evidence included) and backward messages, each position's; and the log likelihood ratio."""
        _check_categories(v, self.num_categories)
        evidence = jnp.moveaxis(log_evidence(v, snr, self.a), -2, 0)
        log_transition = _log(self.transition, v)

        def forward_step(message: Array, here: Array) -> tuple[Array, Array]:
            message = _log_sum(message[..., :, None] + log_transition, axis=-2) + here
            return message, message

        def backward_step(message: Array, after: Array) -> tuple[Array, Array]:
            message = _log_sum(log_transition + (message + after)[..., None, :], axis=-1)
            return message, message

        first = _log(self.initial, v) + evidence[0]
        _, rest = jax.lax.scan(forward_step, first, evidence[1:])
        last = jnp.zeros_like(first)
        _, before = jax.lax.scan(backward_step, last, evidence[1:], reverse=True)
        forward = jnp.moveaxis(jnp.concatenate([first[None], rest]), 0, -2)
        backward = jnp.moveaxis(jnp.concatenate([before, last[None]]), 0, -2)
        return forward, backward, jax.nn.logsumexp(forward[..., -1, :], axis=-1)


@dataclass(frozen=True, eq=False)
class TablePrior:
    """A distribution over an enumerated set of sequences, e.g. all valid 4 x 4 Sudoku grids.

    Args:
        sequences: [count, positions], the possible sequences.
        num_categories: n.
        weights: [count], their probabilities, normalised to sum to 1; equal if None.
        a: stationary shapes of the process.
    """

    sequences: Int[np.ndarray, "count positions"]
    num_categories: int
    weights: Float[np.ndarray, " count"] | None = None
    a: Shape = 1.0

    def __post_init__(self) -> None:
        sequences = np.asarray(self.sequences)
        if sequences.ndim != 2 or not sequences.size:
            raise UsageError(
                f"table has shape {sequences.shape}, expected [count, positions] with at least one of each"
            )
        _check_tokens("table", sequences, self.num_categories)
        weights = np.full(len(sequences), 1 / len(sequences)) if self.weights is None else np.asarray(self.weights)
        if weights.shape != (len(sequences),):
            raise UsageError(f"weights have shape {weights.shape}, expected one for each of {len(sequences)} sequences")
        object.__setattr__(self, "weights", _normalised("weights", weights))
        _check_shape(self.a, self.num_categories)

    def entropy(self) -> float:
        """Entropy of a sequence, nats."""
        return _entropy(np.asarray(self.weights))

    def sample(self, key: PRNGKeyArray, count: int) -> Int[Array, "count positions"]:
        """Exact sequences."""
        rows = jax.random.choice(key, len(self.sequences), (count,), p=jnp.asarray(self.weights))
        return jnp.asarray(self.sequences)[rows]

    def admits(self, known: Int[np.ndarray, " positions"]) -> bool:
        """Whether a sequence with these tokens has a positive probability; `UNKNOWN` stands for any token."""
        agrees = ((known == UNKNOWN) | (np.asarray(self.sequences) == known)).all(axis=1)
        return bool((agrees & (np.asarray(self.weights) > 0)).any())

    def __call__(self, v: Float[Array, "*batch positions n"], snr: Scalar) -> Float[Array, "*batch positions n"]:
        """Log posterior marginals of every position given all noisy vectors."""
        responsibilities = jax.nn.softmax(self._joint(v, snr), axis=-1)
        marginals = jnp.einsum("...c,cpn->...pn", responsibilities, self._one_hot(v))
        # A logarithm of 0 has a derivative that is not a number, which exp(-inf) does not remove.
        possible = marginals > 0
        return jnp.where(possible, jnp.log(jnp.where(possible, marginals, 1.0)), -jnp.inf)

    def log_likelihood_ratio(self, v: Float[Array, "*batch positions n"], snr: Scalar) -> Float[Array, " *batch"]:
        """Log density of the noisy sequence relative to pure noise."""
        return jax.nn.logsumexp(self._joint(v, snr), axis=-1)

    def _joint(self, v: Array, snr: Scalar) -> Array:
        _check_categories(v, self.num_categories)
        evidence = jnp.einsum("...pn,cpn->...c", log_evidence(v, snr, self.a), self._one_hot(v))
        return _log(np.asarray(self.weights), v) + evidence

    def _one_hot(self, v: Array) -> Array:
        return jax.nn.one_hot(jnp.asarray(self.sequences), self.num_categories, dtype=v.dtype)


def _log(probabilities: np.ndarray, like: Array | None = None) -> Array:
    """Their logarithm; -inf where they vanish."""
    values = jnp.log(jnp.asarray(probabilities))
    return values if like is None else values.astype(like.dtype)


def _log_sum(values: Array, axis: int) -> Array:
    """`logsumexp`, with derivative 0 where all terms are 0."""
    possible = (values > -jnp.inf).any(axis, keepdims=True)
    total = jax.nn.logsumexp(jnp.where(possible, values, 0.0), axis)
    return jnp.where(jnp.squeeze(possible, axis), total, -jnp.inf)


def _entropy(probabilities: np.ndarray) -> float:
    positive = probabilities[probabilities > 0]
    return float(-(positive * np.log(positive)).sum())


def _check_tokens(name: str, tokens: np.ndarray, num_categories: int) -> None:
    """Raise `UsageError` for tokens that are not integers from 0 to n - 1."""
    if not np.issubdtype(tokens.dtype, np.integer):
        raise UsageError(f"{name} has tokens of {tokens.dtype}, expected integers")
    if tokens.size and (tokens.min() < 0 or tokens.max() >= num_categories):
        raise UsageError(f"{name} has tokens {tokens.min()} to {tokens.max()}, expected 0 to {num_categories - 1}")


def _normalised(name: str, probabilities: np.ndarray) -> Float[np.ndarray, " n"]:
    values = np.asarray(probabilities, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all() or (values < 0).any() or values.sum() == 0:
        raise UsageError(f"{name} is {values.tolist()}, expected at least two finite numbers >= 0 with a positive sum")
    return values / values.sum()


def _check_shape(a: Shape, num_categories: int) -> None:
    """The shape of the process, one for all categories or one for each.

    Raises:
        UsageError: another number of them, or one that is not above 0.
    """
    shapes = np.ones(np.shape(a)) if isinstance(a, Tracer) else np.asarray(a, np.float64)
    if shapes.shape not in ((), (num_categories,)) or not (np.isfinite(shapes) & (shapes > 0)).all():
        raise UsageError(f"a is {shapes.tolist()}, expected a number above 0 or one for each of {num_categories}")


def _check_categories(v: Array, num_categories: int) -> None:
    if v.shape[-1] != num_categories:
        raise UsageError(f"v has {v.shape[-1]} categories, the prior has {num_categories}")
