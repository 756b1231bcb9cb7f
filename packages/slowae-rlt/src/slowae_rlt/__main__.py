"""`python -m slowae_rlt VERB` is `onepaper slowae-rlt VERB`."""

import sys

from onepaper.cli import main

main(["slowae-rlt", *sys.argv[1:]])
