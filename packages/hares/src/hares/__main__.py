"""`python -m hares VERB` is `onepaper hares VERB`."""

import sys

from onepaper.cli import main

main(["hares", *sys.argv[1:]])
