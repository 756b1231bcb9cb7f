"""Features of clips."""
