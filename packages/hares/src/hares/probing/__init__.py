"""Probes on frozen embeddings, metrics and scores."""
