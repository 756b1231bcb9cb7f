"""Weights of other people."""
