"""Data and trained weights that come with the package."""
