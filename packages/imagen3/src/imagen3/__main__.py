"""`python -m imagen3 VERB` is `onepaper imagen3 VERB`."""

import sys

from onepaper.cli import main

main(["imagen3", *sys.argv[1:]])
