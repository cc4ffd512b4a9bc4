"""The front door: `tocsin --help`."""

from __future__ import annotations

import sys

from serving.cli import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; a user's mistake is one line on stderr and an exit code."""
    try:
        app()
    except Exception as error:
        from pipeline.console import error_code

        if (code := error_code(error)) is None:
            raise
        faults = (" ".join(line.split()) for line in str(error).splitlines())
        print(f"tocsin: {'; '.join(filter(None, faults))}", file=sys.stderr)
        sys.exit(code)


if __name__ == "__main__":
    main()
