"""What networks learn from and samplers are tested on: exact distributions, digits, canvases, folders of images."""
