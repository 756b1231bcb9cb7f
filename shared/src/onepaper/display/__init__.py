"""Things to look at and listen to: HTML pages, sample galleries, plots, and bytes of picture and sound files."""
