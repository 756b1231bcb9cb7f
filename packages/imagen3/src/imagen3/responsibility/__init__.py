"""Watermark, fairness and safety of what a system draws."""
