"""Likelihood of documents and accuracy of copies."""
