"""Categorical data: readers, splits, and pictures of sequences."""
