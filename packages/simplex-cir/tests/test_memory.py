"""A million categories at 64 positions: each operation stays below 2 GB, in a process of its own."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import jax, jax.numpy as jnp
from simplex_cir.likelihood import integrand
from simplex_cir.posterior import log_posterior, scaled_score
from simplex_cir.process import noise_tokens
from simplex_cir.reverse import ancestral_step

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
elif what == "bound":
    out = jax.jit(lambda v: integrand(posterior(v), tokens, v, m))(v)
else:
    out = v
assert bool(jnp.isfinite(out).all())
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(peak * (1 if sys.platform == "darwin" else 1024))
"""


@pytest.mark.parametrize("what", ["noising", "posterior and score", "ancestral step", "bound"])
def test_peak(what: str) -> None:
    command = [sys.executable, "-c", PROGRAM, what]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) < 2e9
