"""Every configuration as a frozen dataclass; imports nothing else of this package."""
