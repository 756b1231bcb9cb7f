"""Simplex diffusion: signal-to-noise ratio, posterior, time reversal, probability flow and likelihood."""
