"""A million categories at 64 positions: noising and what follows stay below 2 GB, each in a process of its own."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys
import jax, jax.numpy as jnp
from onepaper.benchmark import peak_bytes
from simplex_cir.diffusion.likelihood import integrand
from simplex_cir.diffusion.posterior import log_posterior, scaled_score
from simplex_cir.process.cir import noise_tokens
from simplex_cir.diffusion.reverse import ancestral_step

what, n, m = sys.argv[1], 1_000_000, jnp.asarray(30.0)
key = jax.random.key(0)
tokens = jnp.arange(64) * 1000

def posterior(v):
    return log_posterior(jnp.zeros(()), v, m)

v = noise_tokens(key, tokens, n, 1.0, m)
assert v.nbytes == 256_000_000
if what == "posterior and score":
    out = jax.jit(lambda v: scaled_score(jnp.exp(posterior(v)), v, m))(v)
elif what == "ancestral step":
    out = jax.jit(lambda v: ancestral_step(key, tokens, v, m, 1.5 * m))(v)
else:
    out = jax.jit(lambda v: integrand(posterior(v), tokens, v, m))(v)
assert bool(jnp.isfinite(out).all())
print(peak_bytes())
"""


@pytest.mark.slow
@pytest.mark.parametrize("what", ["posterior and score", "ancestral step", "bound"])
def test_peak(what: str) -> None:
    command = [sys.executable, "-c", PROGRAM, what]
    # Compiled as users compile: with the flags of these tests nothing is fused.
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) < 2e9
