"""``python -m mirical``: the command line."""

from mirical.cli import main

raise SystemExit(main())
