"""Events as TensorBoard reads them."""

import dataclasses
import io
import time
import wave

import pytest
from matplotlib.figure import Figure

from onepaper.training import LoopOptions, fit

from .walk import Walk, batches, losses, opened


def test_tensorboard_has_one_value_a_step_after_a_crash(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def crashing(step):
        if step == 15:
            raise RuntimeError("power cut")
        return batches(step)

    options = LoopOptions(20, log_every=2, checkpoint_every=7)
    for data in (crashing, batches):
        with opened(tmp_path) as run:
            try:
                fit(Walk(), data, options, run)
            except RuntimeError:
                time.sleep(1.1)  # tensorboard orders event files by the second in their name
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload().Scalars("loss")
    rows = losses(tmp_path)
    assert [event.step for event in events] == list(rows) == list(range(2, 21, 2))
    for event in events:
        assert event.value == pytest.approx(rows[event.step]["loss"], rel=1e-6)


def test_samples_are_files_a_page_and_tensorboards(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    picture, sound = io.BytesIO(), io.BytesIO()
    Figure(figsize=(1, 2)).savefig(picture, format="png", dpi=10)
    with wave.open(sound, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(800))
    asked = []

    def draw(state):
        asked.append(state["step"])
        return {"a.png": picture.getvalue(), "a.wav": sound.getvalue(), "b.txt": b"# not a title", "c.mid": b"x"}

    options = LoopOptions(steps=5, log_every=5, evaluate_every=2)
    with opened(tmp_path) as run:
        fit(Walk(), batches, options, run, draw=draw)
    fit(Walk(), batches, options, draw=draw)
    assert asked == [2, 4, 5]  # a training without a folder draws nothing
    assert (tmp_path / "samples" / "step-4" / "c.mid").read_bytes() == b"x"
    assert (tmp_path / "samples" / "index.html").read_text(encoding="utf-8").count("<h2>") == 3
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(image.step, image.width, image.height) for image in events.Images("samples/a")] == [
        (2, 10, 20), (4, 10, 20), (5, 10, 20),
    ]  # fmt: skip
    (player, *_) = events.Audio("samples/a")
    assert (player.sample_rate, player.length_frames, player.content_type) == (8000, 400, "audio/wav")
    assert b"    # not a title" in events.Tensors("samples/b/text_summary")[0].tensor_proto.string_val[0]
    with opened(tmp_path) as run:
        fit(Walk(), batches, dataclasses.replace(options, steps=5, resume="restart"), run)
    assert not (tmp_path / "samples").exists()  # they were of a training that is no more
