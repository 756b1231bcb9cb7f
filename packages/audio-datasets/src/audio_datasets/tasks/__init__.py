"""Tasks, metrics and reference results."""
