"""Cards: pages that show a data set."""
