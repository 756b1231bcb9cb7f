"""`python -m perceiver_ar VERB` is `onepaper perceiver-ar VERB`."""

import sys

from onepaper.cli import main

main(["perceiver-ar", *sys.argv[1:]])
