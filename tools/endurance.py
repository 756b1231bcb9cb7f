"""Kill a training repeatedly and check that nothing is lost.

    python tools/endurance.py --framework torch --kills 50

A child process trains a small model and saves a checkpoint every few steps. It is killed by SIGKILL at random moments
and restarted. After each kill every listed checkpoint must pass verification. At the end, the log of every step and all
tensors must equal, bit by bit, those of an uninterrupted training.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

FEATURES, WIDTH, BATCH = 64, 512, 8


def torch_task() -> Any:
    """A perceptron of some megabytes with dropout, in PyTorch."""
    from torch import nn

    from onepaper.accelerator import AcceleratorOptions
    from onepaper.torch.accelerator import Accelerator
    from onepaper.torch.steps import TorchTask

    def build() -> nn.Module:
        layers = [nn.Linear(FEATURES, WIDTH), nn.Tanh(), nn.Dropout(0.1), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 1)]
        return nn.Sequential(*layers)

    def loss(model: Any, batch: Any, generator: Any) -> Any:
        return model(batch).square().sum(), len(batch)

    return TorchTask(build, loss, optimizer(), accelerator=Accelerator(AcceleratorOptions("cpu", threads=1)))


def jax_task() -> Any:
    """The same model in JAX."""
    import jax.numpy as jnp
    from flax import nnx

    from onepaper.accelerator import AcceleratorOptions
    from onepaper.jax.accelerator import Accelerator
    from onepaper.jax.steps import JaxTask

    def build(rngs: nnx.Rngs) -> nnx.Module:
        sizes = [
            nnx.Linear(FEATURES, WIDTH, rngs=rngs),
            nnx.Linear(WIDTH, WIDTH, rngs=rngs),
            nnx.Linear(WIDTH, 1, rngs=rngs),
        ]
        return nnx.Sequential(sizes[0], jnp.tanh, nnx.Dropout(0.1, rngs=rngs), *sizes[1:])

    def loss(model: Any, batch: Any, key: Any) -> Any:
        return jnp.square(model(batch)).sum(), len(batch)

    return JaxTask(build, loss, optimizer(), accelerator=Accelerator(AcceleratorOptions("cpu", threads=1)))


def optimizer() -> Any:
    """Options that use every part of the state."""
    from onepaper.optimizer import OptimizerOptions

    return OptimizerOptions(lr=1e-3, weight_decay=0.1, clip_norm=1.0, warmup_steps=10, ema_decay=0.99)


def train(framework: str, folder: Path, steps: int, checkpoint_every: int) -> None:
    """The child: train up to `steps`, from the newest checkpoint of the folder."""
    import numpy as np

    from onepaper.data import random_batches
    from onepaper.runs import Run
    from onepaper.training import LoopOptions, fit

    task = {"torch": torch_task, "jax": jax_task}[framework]()
    batches = random_batches(lambda rng, size: rng.normal(size=(size, FEATURES)).astype(np.float32), BATCH)
    with Run.open(folder, paper="endurance", verb="train", config=None, seed=0) as run:
        fit(task, batches, LoopOptions(steps, log_every=1, checkpoint_every=checkpoint_every), run)


def start(framework: str, folder: Path, steps: int, checkpoint_every: int) -> "subprocess.Popen[bytes]":
    """Start a child."""
    threads = {"OMP_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"}
    arguments = ["--framework", framework, "--child", str(folder), str(steps), str(checkpoint_every)]
    with (folder.parent / "child.log").open("ab") as log:
        return subprocess.Popen([sys.executable, __file__, *arguments], env=os.environ | threads, stderr=log)


def committed(listing: Path) -> set[str]:
    """Names of the committed checkpoints in a folder."""
    return {path.name for path in listing.glob("step_*") if not path.suffix}


def read_losses(folder: Path) -> list[tuple[int, float, float]]:
    """(step, loss, gradient norm) of every row."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [(row["step"], row["loss"], row["grad_norm"]) for row in map(json.loads, lines)]


def endure(framework: str, kills: int, root: Path, seed: int) -> dict[str, float | int | str]:
    """Kill `kills` children and compare with an uninterrupted training; the numbers of the report.

    Raises:
        SystemExit: something was lost.
    """
    from onepaper.checkpoints import Checkpoints

    random.seed(seed)
    folder = root / "killed"
    folder.mkdir()
    listing = folder / "checkpoints"
    verified = inside = 0
    begun = time.monotonic()
    for number in range(kills):
        before = committed(listing)
        child = start(framework, folder, 10**9, checkpoint_every=2)
        # Wait for a new checkpoint, so that every child makes progress, then kill at a random moment.
        while child.poll() is None and not committed(listing) - before:
            time.sleep(0.02)
        time.sleep(random.uniform(0.0, 1.0))
        if child.poll() is not None:
            raise SystemExit(f"child {number} ended without being killed: {(root / 'child.log').read_text()[-2000:]}")
        child.send_signal(signal.SIGKILL)
        child.wait()
        inside += any(path.suffix in (".tmp", ".doomed") for path in listing.iterdir())
        store = Checkpoints(listing, {})
        for step in store.steps():
            store.verify(step)
            verified += 1
        print(f"kill {number + 1} of {kills}: newest checkpoint {store.steps()[-1:]}", file=sys.stderr)
    if list(listing.glob("*.broken")):
        raise SystemExit("a checkpoint was set aside as broken")
    last = Checkpoints(listing, {}).steps()[-1] + 10
    (root / "uninterrupted").mkdir()
    children = [start(framework, folder, last, 2), start(framework, root / "uninterrupted", last, 0)]
    for child in children:
        if child.wait() != 0:
            raise SystemExit(f"the last child failed: {(root / 'child.log').read_text()[-2000:]}")
    if read_losses(folder) != read_losses(root / "uninterrupted"):
        raise SystemExit("the logs differ from those of an uninterrupted training")
    compare_states(framework, folder, root / "uninterrupted", last)
    return {
        "framework": framework,
        "kills": kills,
        "kills inside a save or a deletion": inside,
        "checkpoints verified": verified,
        "steps": last,
        "seconds": round(time.monotonic() - begun),
    }


def compare_states(framework: str, one: Path, other: Path, step: int) -> None:
    """Compare every array of two final checkpoints bit for bit."""
    import numpy as np

    from onepaper.checkpoints import Checkpoints

    task = {"torch": torch_task, "jax": jax_task}[framework]()
    states: list[dict[str, bytes]] = []
    for folder in (one, other):
        store = Checkpoints(folder / "checkpoints", {"config": None, "seed": 0})
        state, manifest = store.restore(task.restore) or sys.exit("no checkpoint")
        assert manifest.step == step
        if framework == "torch":
            arrays = {name: tensor.numpy() for name, tensor in task.tensors(state).items()}
        else:
            import jax

            from onepaper.jax.state_files import flatten

            keys = jax.dtypes.prng_key
            raw = flatten(state.arrays)
            arrays = {n: jax.random.key_data(a) if jax.numpy.issubdtype(a.dtype, keys) else a for n, a in raw.items()}
        states.append({name: np.asarray(array).tobytes() for name, array in arrays.items()})
    if states[0] != states[1]:
        raise SystemExit("the final state differs from that of an uninterrupted training")


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--framework", choices=("torch", "jax"), required=True)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    parser.add_argument("--child", nargs=3, metavar=("FOLDER", "STEPS", "EVERY"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        folder, steps, every = arguments.child
        train(arguments.framework, Path(folder), int(steps), int(every))
        return
    with tempfile.TemporaryDirectory(prefix="endurance-") as root:
        report = endure(arguments.framework, arguments.kills, Path(root), arguments.seed)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
