"""`python -m onepaper` is the command `onepaper`."""

from onepaper.cli import main

main()
