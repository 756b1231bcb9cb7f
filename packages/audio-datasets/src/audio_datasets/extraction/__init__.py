"""Features of many clips: parts that any number of processes or machines compute, and the table that they make."""
