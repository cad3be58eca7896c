"""The command-line options that all measurements have in common."""

import argparse
import os

from harness import places


def parser(about, rounds):
    options = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", help="names, separated by commas")
    options.add_argument("--rounds", type=int, default=rounds)
    options.add_argument("--seconds", type=int, default=2, help="length of a slice")
    options.add_argument("--quick", action="store_true", help="few and short rounds, to check the setup")
    options.add_argument("--pointsman", default=os.path.join(places.REPOSITORY, "target", "release", "pointsman"))
    options.add_argument("--no-cache-key", action="store_true", help="for builds without a decision cache: do not disable it")
    options.add_argument("--from", dest="source", metavar="FILE", help="saved results")
    options.add_argument("--results", default=places.RESULTS, help="file for the results")
    options.add_argument("--no-page", action="store_true", help="print the tables; do not change docs/")
    return options
