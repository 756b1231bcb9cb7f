"""Likelihoods, distances between sets of pictures, and where lists put detail."""
