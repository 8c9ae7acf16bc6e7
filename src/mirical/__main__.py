"""`python -m mirical`: the same as the command."""

import sys

from mirical.cli import main

sys.exit(main())
