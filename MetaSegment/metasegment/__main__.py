"""`python -m metasegment`: the same as the `metasegment` command."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
