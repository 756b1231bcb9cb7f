"""Former name of `onepaper.doc_commands`."""

from onepaper.doc_commands import SLOW_VERBS, commands

__all__ = ["SLOW_VERBS", "commands"]
