import shutil
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.errors import UsageError
from onepaper.jax.accelerator import Accelerator
from onepaper.jax.state_files import model_arrays
from onepaper.runs import Run
from onepaper.training import read_metrics

from perceiver_ar import training
from perceiver_ar.config import DataConfig, ExperimentConfig, ModelConfig
from perceiver_ar.data.copy_task import mirrored
from perceiver_ar.data.corpus import Corpus, InMemory
from perceiver_ar.data.text import ByteText
from perceiver_ar.evaluation.copies import copy_accuracy
from perceiver_ar.models.perceiver_ar import PerceiverAR
from perceiver_ar.parallel import MeshAccelerator
from perceiver_ar.presets import PRESETS
from perceiver_ar.training import copy_batches, make_loss, train

SMOKE: ExperimentConfig = PRESETS["smoke"].config
TEXT: ExperimentConfig = PRESETS["smoke-text"].config


def test_batches_are_functions_of_the_step() -> None:
    first, again = copy_batches(SMOKE, seed=0), copy_batches(SMOKE, seed=0)
    for name, array in first(7).items():
        np.testing.assert_array_equal(array, again(7)[name])
    assert (first(7)["inputs"] != first(8)["inputs"]).any()
    halves = [copy_batches(SMOKE, seed=0, rank=rank, world=2)(7)["inputs"] for rank in range(2)]
    np.testing.assert_array_equal(np.concatenate(halves), first(7)["inputs"])


def test_the_model_is_built_for_the_devices_of_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    machine, seen = MeshAccelerator(), []

    def builder(config: ModelConfig, accelerator: Accelerator) -> None:
        seen.append((config, accelerator))
        raise InterruptedError  # nothing has to be trained

    monkeypatch.setattr(training, "model_builder", builder)
    with pytest.raises(InterruptedError):
        train(SMOKE, accelerator=machine)
    assert seen == [(SMOKE.model, machine)]


def test_smoothed_labels_reach_the_loss(stirred) -> None:
    model = stirred(SMOKE.model)
    batch = {name: jnp.asarray(array) for name, array in copy_batches(SMOKE, seed=0)(0).items()}
    totals = {}
    for smoothing in (0.0, 0.1):
        config = replace(SMOKE, label_smoothing=smoothing, z_loss=0.0)
        totals[smoothing] = float(nnx.jit(make_loss(config))(model, batch, jax.random.key(0))[0])
    logits = nnx.jit(PerceiverAR.__call__)(model, batch["inputs"], batch["lengths"])
    targets = batch["targets"][:, -SMOKE.model.num_latents :]
    size = SMOKE.model.vocab_size
    labels = jnp.where(jax.nn.one_hot(targets, size) > 0, 0.9, 0.1 / (size - 1))
    expected = (labels * (jnp.log(labels) - jax.nn.log_softmax(logits))).sum()  # a divergence: perfect guesses cost 0
    np.testing.assert_allclose(totals[0.1], expected, rtol=1e-4)
    assert abs(totals[0.1] / totals[0.0] - 1) > 1e-3


def test_the_sum_grows_with_the_batch_and_the_mean_does_not(stirred) -> None:
    model, batch = stirred(SMOKE.model), copy_batches(SMOKE, seed=0)(0)
    twice = {name: np.concatenate([array, array]) for name, array in batch.items()}
    ratios = {}
    for reduction in ("sum", "mean"):
        loss = jax.jit(make_loss(replace(SMOKE, loss_reduction=reduction, z_loss=0.0)))
        values = []
        for part in (batch, twice):
            total, weight, logged = loss(model, {k: jnp.asarray(v) for k, v in part.items()}, jax.random.key(0))
            values.append(float(total / weight))
            targets = part["lengths"].size * SMOKE.model.num_latents
            np.testing.assert_allclose(logged["nats"] / weight, total / targets, rtol=1e-5)
        ratios[reduction] = values[1] / values[0]
    np.testing.assert_allclose([ratios["sum"], ratios["mean"]], [2, 1], rtol=1e-5)


def test_a_short_training_learns_something() -> None:
    config = replace(SMOKE, loop=replace(SMOKE.loop, steps=60, log_every=20))
    model = train(config)
    events = mirrored(np.random.default_rng(5), 256, 16, 7)
    accuracy = copy_accuracy(model, events)
    assert accuracy[-1] > 0.9  # EOS comes last
    assert accuracy.mean() > 0.3  # a guess among four symbols has 1/4 of 7, plus EOS: 0.34 once EOS is known


@pytest.mark.slow
def test_a_training_on_documents_resumes_with_the_same_bits(tmp_path: Path) -> None:
    config = replace(TEXT, loop=replace(TEXT.loop, steps=6, log_every=2, checkpoint_every=3, evaluate_every=3))

    def run(name: str) -> Run:
        return Run.open(tmp_path / name, paper="perceiver-ar", verb="train", config=config)

    with run("whole") as whole:
        straight = train(config, whole)
        rows = read_metrics(whole.folder / "metrics.jsonl")
    assert rows[-1]["evaluate/bits_per_byte"] == pytest.approx(rows[-1]["evaluate/nats"] / np.log(2))
    assert (whole.folder / "tensorboard").is_dir()
    shutil.copytree(whole.folder, tmp_path / "cut")
    shutil.rmtree(tmp_path / "cut" / "checkpoints" / "step_6")
    with run("cut") as filter_logits:
        resumed = train(config, filter_logits)
    for one, other in zip(model_arrays(straight).items(), model_arrays(resumed).items(), strict=True):
        assert one[0] == other[0]
        np.testing.assert_array_equal(one[1], other[1])


def test_documents_of_ones_own_are_trained_on_with_hooks() -> None:
    codec = ByteText()
    documents = InMemory([codec.encode("z" * 200)])
    corpus = Corpus(codec, documents, documents, documents)
    config = replace(TEXT, loop=replace(TEXT.loop, steps=40, log_every=20))
    rows = []
    model = train(config, corpus=corpus, hooks=[lambda step, state, row: rows.append((step, row["nats"]))])
    assert [step for step, _ in rows] == [20, 40]
    assert rows[1][1] < rows[0][1]
    tokens = jnp.asarray(documents[0])[None, : TEXT.model.context_length]
    assert set(np.asarray(model(tokens).argmax(axis=-1)).ravel()) == {int(codec.encode("z")[1])}
    with pytest.raises(UsageError, match="vocab_size is 7, but the data have 259 ids"):
        train(SMOKE, corpus=corpus)


def test_what_cannot_be_trained_raise_errors() -> None:
    with pytest.raises(UsageError, match="vocab_size is 259, but the data have 20 ids"):
        train(replace(TEXT, data=DataConfig("digits")))
    with pytest.raises(UsageError, match="num_latents is 9, expected at most 8"):
        train(replace(SMOKE, model=replace(SMOKE.model, num_latents=9)))
