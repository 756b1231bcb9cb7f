"""Verbs of the watermark, and of reports on fairness and safety."""
