"""Training of every network of the package."""
