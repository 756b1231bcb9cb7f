"""The measurements of the claims."""
