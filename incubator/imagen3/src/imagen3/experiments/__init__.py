"""Measurements of the claims."""
