"""Sources: where the names of an expression on the command line come from."""
