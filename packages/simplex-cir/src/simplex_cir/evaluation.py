"""Samplers compared on oracle models, learned models judged by their bound, and what a configuration costs."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from onepaper import progress
from onepaper.errors import UsageError
from onepaper.paper import Invocation

from simplex_cir.config import LearnedConfig, OracleConfig
from simplex_cir.data import Dataset, empirical_law, entropy, satisfied_constraints, valid_sudokus
from simplex_cir.likelihood import bound
from simplex_cir.model import SimplexDenoiser
from simplex_cir.priors import MarkovPrior
from simplex_cir.sampling import conditioned, draw
from simplex_cir.training import load

# What a training sustains on one current data-centre GPU in bfloat16; change it for yours.
GPU_FLOPS_PER_SECOND = 1e14


def oracle(config: OracleConfig) -> MarkovPrior:
    """The prior of a configuration: a chain whose tokens repeat with probability `stay`, else are drawn anew."""
    probabilities = np.asarray(config.probabilities)
    n = len(probabilities)
    return MarkovPrior(probabilities, config.stay * np.eye(n) + (1 - config.stay) * probabilities, config.a)


def token_law(tokens: np.ndarray, n: int) -> np.ndarray:
    """Shares of neighbouring pairs, or of tokens where a sequence has one position."""
    if tokens.shape[1] == 1:
        return np.bincount(tokens[:, 0], minlength=n) / len(tokens)
    pairs = np.zeros((n, n))
    np.add.at(pairs, (tokens[:, :-1].ravel(), tokens[:, 1:].ravel()), 1.0)
    return (pairs / pairs.sum()).ravel()


def variation_of(config: OracleConfig, sampler: str, steps: int, seed: int) -> float:
    """Total variation between drawn and true law of tokens (of neighbouring pairs, where there is a chain)."""
    prior = oracle(config)
    n = prior.num_categories
    shape = (config.num_draws, config.positions, n)
    run = jax.jit(
        lambda key: draw(
            key,
            prior,
            shape,
            a=config.a,
            sampler=sampler,
            steps=steps,
            lowest_snr=config.lowest_snr,
            highest_snr=config.highest_snr,
        )
    )
    drawn = token_law(np.asarray(run(jax.random.key(seed))), n)
    if config.positions == 1:
        true = prior.initial
    else:  # the chain is stationary, so every neighbouring pair has one law
        true = (prior.initial[:, None] * prior.transition).ravel()
    return float(0.5 * np.abs(drawn - true).sum())


def oracle_table(config: OracleConfig, seed: int) -> dict[tuple[str, int], float]:
    """`variation_of` for every sampler and number of steps."""
    work = list(itertools.product(config.samplers, config.steps))
    return {pair: variation_of(config, *pair, seed) for pair in progress.track(work, "samplers", unit="sampler")}


def judge(model: SimplexDenoiser, data: Dataset, count: int, points: int, seed: int) -> dict[str, float]:
    """Bound and samples of a learned model, with the baselines that make the numbers mean something.

    All in nats a sequence: the bound on test sequences; the entropies of the test set's empirical law (where small), of
    independent positions and of a Markov chain, both fitted to the training part and measured on the test part.
    """
    tokens = jnp.asarray(data.test[np.random.default_rng(seed).permutation(len(data.test))[:count]])
    n, a = data.num_categories, model.config.a
    estimate = jax.jit(lambda model, key, tokens: bound(key, model, tokens, n, a, points=points).total)
    nats = np.asarray(estimate(model, jax.random.key(seed), tokens))
    numbers = {"bound": float(nats.mean()), "standard error": float(nats.std() / np.sqrt(len(nats)))}
    shares = np.stack([np.bincount(column, minlength=n) + 0.5 for column in data.train.T])
    shares /= shares.sum(axis=1, keepdims=True)
    numbers["independent positions"] = float(-np.log(shares[np.arange(data.positions), data.test]).sum(axis=1).mean())
    chain = MarkovPrior.fitted(data.train, n)
    numbers["Markov chain"] = float(-chain.log_prob(jnp.asarray(data.test[:5000])).mean())
    if len(empirical_law(data.test)[0]) < len(data.test) / 2:
        numbers["entropy of the test set"] = entropy(data.test)
    sample = jax.jit(lambda model, key: draw(key, conditioned(model), (count, data.positions, n), a=a))
    drawn = np.asarray(sample(model, jax.random.key(seed + 1)))
    if data.symbols.startswith("1234"):
        numbers["valid grids"] = float(valid_sudokus(drawn).mean())
        numbers["satisfied constraints"] = float(satisfied_constraints(drawn).mean())
    return numbers


def evaluate_verb(call: Invocation) -> None:
    """The verb `evaluate`: every sampler on an oracle model, or the bound and samples of a learned one."""
    config, options = call.config, call.options
    if isinstance(config, OracleConfig):
        if options.dry_run:
            print(f"would compare {len(config.samplers)} samplers with {config.num_draws} draws each")
            return
        with call.open_run() as run:
            table = oracle_table(config, options.seed)
            run.write_json("oracle.json", {f"{name}, {steps} steps": value for (name, steps), value in table.items()})
        print(f"{'total variation from the prior':<32}" + "".join(f"{f'{steps} steps':>12}" for steps in config.steps))
        for name in config.samplers:
            print(f"{name:<32}" + "".join(f"{table[name, steps]:>12.4f}" for steps in config.steps))
        print(f"written: {run.folder / 'oracle.json'}")
        return
    if options.dry_run:
        print(f"would measure {options.weights or 'the folder given by --weights'} on {options.count} sequences")
        return
    if options.weights is None:
        raise UsageError("evaluate needs --weights FOLDER, the `pretrained` folder of a training run")
    model = SimplexDenoiser.from_pretrained(options.weights)
    with call.open_run() as run:
        numbers = judge(model, load(config.data), options.count, options.points, options.seed)
        run.write_json("evaluation.json", numbers)
    for name, value in numbers.items():
        print(f"{name:<28}{value:>10.4f}")
    print(f"written: {run.folder / 'evaluation.json'}")


def cost_of(config: LearnedConfig | OracleConfig) -> dict[str, str]:
    """Parameters, FLOPs of a training step (three passes of two a weight and position), memory, and time on a GPU."""
    if isinstance(config, OracleConfig):
        return {"parameters": "0", "draws": f"{config.num_draws:,} for each sampler"}
    model = nnx.eval_shape(lambda: SimplexDenoiser(config.model, nnx.Rngs(0)))
    count = sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))
    flops = 6 * count * config.batch_size * config.model.positions
    return {
        "parameters": f"{count:,}",
        "FLOPs per step": f"{flops:.2e}",
        # an estimate, and a lower bound for networks too small to fill a GPU
        "GPU time": f"{flops * config.loop.steps / GPU_FLOPS_PER_SECOND / 3600:.2g} h at 100 TFLOP/s",
        # weights, gradients, two moments and the average, four bytes each
        "memory for the state": f"{5 * 4 * count / 1e6:.2f} MB",
    }
