"""Pictures and captions."""
