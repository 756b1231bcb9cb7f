"""The report's filters of training data (paper, section 2): stages from records to decisions, with a manifest."""
