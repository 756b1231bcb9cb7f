"""Trained networks as folders, and tables of embeddings of other people."""
