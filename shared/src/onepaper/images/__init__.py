"""Images of a user as arrays: one reader for every mode and depth, and folders of images."""

from onepaper.images.folders import SUFFIXES, image_files, readable_images
from onepaper.images.reading import FORMATS, MAX_PIXELS, read_image

__all__ = ["FORMATS", "MAX_PIXELS", "SUFFIXES", "image_files", "read_image", "readable_images"]
