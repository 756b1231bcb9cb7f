"""Sampling with caches and resets."""
