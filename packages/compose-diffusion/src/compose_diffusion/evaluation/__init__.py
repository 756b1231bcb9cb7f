"""Metrics, independent evaluators, and the measured comparisons of samplers."""
