"""Exact random variates, vectorised and compiled."""
