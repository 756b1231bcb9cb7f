"""`python -m sed VERB` is `onepaper sed VERB`."""

import sys

from onepaper.cli import main

main(["sed", *sys.argv[1:]])
