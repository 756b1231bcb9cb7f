"""Reuse without fine-tuning: two networks trained apart, in different ways, composed afterwards (claim C12)."""
