"""The verbs: the only modules that take an invocation, parse options or print."""
