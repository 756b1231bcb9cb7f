r"""Optimiser options and learning-rate schedules for both frameworks.

The schedule is a closed form of the step number, computed on the host and passed to the framework as a number, so that
torch and JAX use equal rates.
"""

import math
from dataclasses import dataclass
from typing import Literal

from onepaper.config import check_between, check_choice, check_non_negative, check_positive
from onepaper.errors import UsageError


@dataclass(frozen=True)
class OptimizerOptions:
    """The optimiser, its schedule, gradient clipping, and the moving average of the weights."""

    name: Literal["adamw", "adam", "sgd"] = "adamw"
    """adamw decouples the weight decay; adam and sgd add it to the gradient"""
    lr: float = 3e-4
    """peak learning rate"""
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    momentum: float = 0.0
    """of sgd"""
    weight_decay: float = 0.0
    decay: Literal["all", "matrices"] = "all"
    """which parameters the weight decay touches; matrices: only those with two or more axes"""
    clip_norm: float = 0.0
    """largest global L2 norm of the gradient; 0 never clips"""
    schedule: Literal["constant", "cosine", "linear", "inverse-sqrt"] = "constant"
    warmup_steps: int = 0
    decay_steps: int = 0
    """number of last steps over which cosine and linear decay, constant before; 0: all steps after the warm-up"""
    final_fraction: float = 0.0
    """learning rate at the last step of cosine and linear, as a fraction of the peak"""
    ema_decay: float = 0.0
    """decay of the moving average of the weights; 0 keeps none"""
    ema_warmup: bool = False
    """use min(ema_decay, (1 + t) / (10 + t)) as the decay at step t"""
    accumulation: int = 1
    """number of micro-batches per batch, to save memory; the gradient is that of the whole batch"""

    def __post_init__(self) -> None:
        check_choice("optimizer", self.name, ("adamw", "adam", "sgd"))
        check_choice("decay", self.decay, ("all", "matrices"))
        check_choice("schedule", self.schedule, ("constant", "cosine", "linear", "inverse-sqrt"))
        check_positive("lr", self.lr)
        for beta in self.betas:
            check_between("betas", beta, 0.0, 1.0)
        check_positive("epsilon", self.epsilon)
        check_between("momentum", self.momentum, 0.0, 1.0)
        check_non_negative("weight_decay", self.weight_decay)
        check_non_negative("clip_norm", self.clip_norm)
        check_non_negative("warmup_steps", self.warmup_steps)
        check_non_negative("decay_steps", self.decay_steps)
        check_between("final_fraction", self.final_fraction, 0.0, 1.0)
        check_between("ema_decay", self.ema_decay, 0.0, 1.0)
        check_positive("accumulation", self.accumulation)

    def check_total(self, total_steps: int | None) -> None:
        """Raise `UsageError` if the schedule depends on the total number of steps and it is not given."""
        if self.schedule in ("cosine", "linear") and total_steps is None:
            raise UsageError(f"schedule '{self.schedule}' needs total_steps, the length of the whole training")

    def lr_at(self, step: int, total_steps: int | None = None) -> float:
        r"""Learning rate of update `step` (counted from 0).

        With peak $\eta$, warm-up $W$, total $T$, final fraction $f$ and progress $p = (t - D) / (T - D)$, at least 0,
        from $D = W$ or from the last `decay_steps`: warm-up $\eta (t + 1) / W$ for $t < W$; then $\eta$ (constant),
        $\eta (f + (1 - f) (1 + \cos \pi p) / 2)$ (cosine), $\eta (f + (1 - f) (1 - p))$ (linear) or
        $\eta \sqrt{\max(W, 1) / (t + 1)}$ (inverse-sqrt).
        """
        warmup = self.warmup_steps
        if step < warmup:
            return self.lr * (step + 1) / warmup
        if self.schedule == "constant":
            return self.lr
        if self.schedule == "inverse-sqrt":
            return self.lr * math.sqrt(max(warmup, 1) / (step + 1))
        self.check_total(total_steps)
        assert total_steps is not None
        start = max(warmup, total_steps - self.decay_steps) if self.decay_steps else warmup
        progress = min(1.0, max(0, step - start) / max(1, total_steps - start))
        left = (1.0 + math.cos(math.pi * progress)) / 2 if self.schedule == "cosine" else 1.0 - progress
        return self.lr * (self.final_fraction + (1.0 - self.final_fraction) * left)

    def ema_decay_at(self, step: int) -> float:
        """Decay of the moving average after update `step` (counted from 0)."""
        return min(self.ema_decay, (1 + step) / (10 + step)) if self.ema_warmup else self.ema_decay
