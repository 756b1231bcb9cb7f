"""Images, JPEG files, and chunks of lists as batches."""
