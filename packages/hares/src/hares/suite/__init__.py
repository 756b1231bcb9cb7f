"""The twelve tasks of HARES from copies of their data sets: layouts, splits, labels."""
