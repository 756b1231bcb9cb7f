"""The verbs: the only modules that read options or print."""
