"""`python -m audio_datasets VERB` is `onepaper audio-datasets VERB`."""

import sys

from onepaper.cli import main

main(["audio-datasets", *sys.argv[1:]])
