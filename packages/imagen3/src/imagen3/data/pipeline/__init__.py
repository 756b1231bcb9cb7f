"""The report's filters of training data (report, section 2): stages from records to decisions, with a manifest."""
