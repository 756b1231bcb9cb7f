"""Trained networks as folders."""
