"""One bench on one database, in a process of its own: ``python -m bench.worker NAME`` prints its figures as JSON."""

import importlib
import json
import sys


def main() -> None:
    import django

    django.setup()
    figures = importlib.import_module(f"bench.{sys.argv[1]}").measure()
    print("RESULT " + json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
