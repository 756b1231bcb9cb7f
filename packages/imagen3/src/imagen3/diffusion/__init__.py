"""Noise levels, objectives, guidance and samplers as pure functions."""
