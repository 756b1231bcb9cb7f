"""A web application for raters; needs the extra `rate`."""
