"""`python -m litgen_generator` is the `litgen` command."""

from litgen_generator.cli import main

if __name__ == "__main__":
    main()
