"""The measurements behind the claims."""
