"""Where the `litgen` command begins; `python -m litgen_generator` is the same."""

import sys


def main() -> None:
    """Run the command, also when Ctrl-C comes while it is being imported."""
    try:
        from litgen_generator import cli

        cli.main()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
