"""Measurements behind the claims."""
