"""`python -m dct_transformer VERB` is `onepaper dct-transformer VERB`."""

import sys

from onepaper.cli import main

main(["dct-transformer", *sys.argv[1:]])
