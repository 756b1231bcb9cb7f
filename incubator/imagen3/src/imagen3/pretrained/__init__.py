"""Trained systems on disk."""
