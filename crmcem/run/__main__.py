"""`python -m crmcem.run COMMAND`: see `crmcem.run.cli`."""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - a person with an older Python deserves a sentence, not a SyntaxError
    sys.stderr.write(f"crmcem needs Python 3.11 or newer; this is {sys.version.split()[0]}.\n")
    raise SystemExit(1)

from crmcem.run.cli import main

raise SystemExit(main(sys.argv[1:]))
