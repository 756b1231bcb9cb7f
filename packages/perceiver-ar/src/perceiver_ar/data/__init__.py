"""Data of every kind as tokens: codecs, corpora, training windows."""
