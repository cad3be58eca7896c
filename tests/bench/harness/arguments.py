"""What all measurements can be asked for on the command line."""

import argparse
import os

from harness import places


def parser(about, rounds):
    options = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", help="names, separated by commas")
    options.add_argument("--rounds", type=int, default=rounds)
    options.add_argument("--seconds", type=int, default=2, help="length of a slice")
    options.add_argument("--quick", action="store_true", help="few and short rounds, to see that all works")
    options.add_argument("--pointsman", default=os.path.join(places.REPOSITORY, "target", "release", "pointsman"))
    options.add_argument("--no-cache-key", action="store_true", help="for builds without a decision cache: do not switch it off")
    options.add_argument("--from", dest="source", metavar="FILE", help="kept results")
    options.add_argument("--results", default=places.RESULTS, help="where results go")
    options.add_argument("--no-page", action="store_true", help="print the tables; leave docs/ as it is")
    return options
