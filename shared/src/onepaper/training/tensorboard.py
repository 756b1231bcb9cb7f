"""Scalars and samples as TensorBoard event files."""

import io
import os
import struct
import time
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onepaper.errors import explain_os_error


class TensorBoardWriter:
    """Writes each event synchronously: the thread of tensorboardX's `SummaryWriter` hangs when the disk is full.

    Args:
        folder: of the event files; made if needed.
        step: the training starts from here; readers drop what earlier sessions wrote after it.
    """

    def __init__(self, folder: Path, step: int) -> None:
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto import event_pb2, summary_pb2

        self._summaries: Any = summary_pb2
        self._messages: Any = event_pb2  # generated code without types
        with explain_os_error(folder):
            folder.mkdir(parents=True, exist_ok=True)
            # The name holds the time in seconds; the suffix distinguishes two starts within one second.
            self._writer: Any = EventsWriter(str(folder / "events"), f".{os.getpid()}.{time.monotonic_ns()}")
            # Readers drop what earlier sessions wrote from this step on.
            start = self._messages.SessionLog(status=self._messages.SessionLog.START)
            self._writer.write_event(self._messages.Event(wall_time=time.time(), step=step + 1, session_log=start))
            self._writer.flush()

    def write(self, step: int, row: Mapping[str, float]) -> None:
        """Add one scalar per entry of `row`."""
        from tensorboardX.summary import scalar

        for name, value in row.items():
            self._add(step, scalar(name, value))
        self._writer.flush()

    def show(self, step: int, files: Mapping[str, bytes]) -> None:
        """Add the .png, .wav and .txt files among `files`; TensorBoard has no view for others."""
        from tensorboardX.summary import text

        for name, content in files.items():
            tag, _, kind = f"samples/{name}".rpartition(".")
            if kind == "png":
                # PNG header: width and height are eight bytes after the signature and the name of the first chunk.
                width, height = struct.unpack(">II", content[16:24])
                picture = self._summaries.Summary.Image(height=height, width=width, encoded_image_string=content)
                self._add(step, self._value(tag, image=picture))
            elif kind == "wav":
                with wave.open(io.BytesIO(content)) as sound:
                    about = {"sample_rate": sound.getframerate(), "num_channels": sound.getnchannels(),
                             "length_frames": sound.getnframes()}  # fmt: skip
                player = self._summaries.Summary.Audio(**about, encoded_audio_string=content, content_type="audio/wav")
                self._add(step, self._value(tag, audio=player))
            elif kind == "txt":
                # TensorBoard renders Markdown, where indented lines are shown verbatim.
                lines = content.decode("utf-8", errors="replace").splitlines()
                self._add(step, text(tag, "\n".join(f"    {line}" for line in lines)))
        self._writer.flush()

    def _value(self, tag: str, **value: Any) -> Any:
        return self._summaries.Summary(value=[self._summaries.Summary.Value(tag=tag, **value)])

    def _add(self, step: int, summary: Any) -> None:
        self._writer.write_event(self._messages.Event(wall_time=time.time(), step=step, summary=summary))

    def close(self) -> None:
        """Close the event file."""
        self._writer.close()
