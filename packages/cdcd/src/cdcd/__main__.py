"""`python -m cdcd VERB` is `onepaper cdcd VERB`."""

import sys

from onepaper.cli import main

main(["cdcd", *sys.argv[1:]])
