"""Text: documents in parts, tokens, and templates of what is given."""
