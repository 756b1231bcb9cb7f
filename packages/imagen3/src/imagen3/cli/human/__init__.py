"""Verbs of the evaluation by people."""
