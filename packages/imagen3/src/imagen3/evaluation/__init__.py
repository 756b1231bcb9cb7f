"""Distances between sets of pictures."""
