"""Log-mel spectrograms, crops and mixing of examples."""
