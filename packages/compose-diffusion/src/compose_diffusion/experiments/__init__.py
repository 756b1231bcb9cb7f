"""The measurements behind the claims; each takes a `ClaimContext` and returns `Evidence`."""
