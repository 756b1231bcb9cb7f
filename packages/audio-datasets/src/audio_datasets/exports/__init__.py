"""Clips in the formats of other libraries."""
