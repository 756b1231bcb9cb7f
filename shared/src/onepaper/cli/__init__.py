"""The command line of all papers."""

from onepaper.cli.dispatch import main

__all__ = ["main"]
