"""Data of the paper."""
