"""Training: the loop and what a task gives it (`loop`), metrics and samples (`logs`), TensorBoard, stop signals."""

from onepaper.training.logs import METRICS_NAME, SAMPLES_FOLDER, TENSORBOARD_FOLDER, Logs, Row, read_metrics
from onepaper.training.loop import (
    CHECKPOINTS_FOLDER,
    Cadence,
    Draw,
    Evaluate,
    Fitted,
    Hook,
    LoopOptions,
    Stopped,
    Task,
    fit,
)

__all__ = [
    "CHECKPOINTS_FOLDER",
    "METRICS_NAME",
    "SAMPLES_FOLDER",
    "TENSORBOARD_FOLDER",
    "Cadence",
    "Draw",
    "Evaluate",
    "Fitted",
    "Hook",
    "Logs",
    "LoopOptions",
    "Row",
    "Stopped",
    "Task",
    "fit",
    "read_metrics",
]
