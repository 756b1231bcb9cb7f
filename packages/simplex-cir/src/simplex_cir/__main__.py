"""`python -m simplex_cir VERB` is `onepaper simplex-cir VERB`."""

import sys

from onepaper.cli import main

main(["simplex-cir", *sys.argv[1:]])
