"""Networks with their codecs, and checkpoints of the official code."""
