"""Evaluation of samples, and of models on held-out text."""
