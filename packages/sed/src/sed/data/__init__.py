"""Text: documents in parts, tokens with padding, and templates of what is given."""
