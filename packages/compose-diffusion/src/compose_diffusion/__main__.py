"""`python -m compose_diffusion VERB` is `onepaper compose-diffusion VERB`."""

import sys

from onepaper.cli import main

main(["compose-diffusion", *sys.argv[1:]])
