"""Checks of copies: what is there, how it differs from what is published, and what unknown trees seem to say."""
