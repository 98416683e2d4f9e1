"""`python -m litgen_generator.release VERSION`: cut a release, or begin working towards one."""

import sys

from litgen_generator.errors import LitgenError, UsageError
from litgen_generator.release.cut import cut
from litgen_generator.release.source import Source


def main(arguments: list[str]) -> None:
    """Make the checkout that of the version named."""
    try:
        source = Source.of_checkout()
        if source is None:
            raise LitgenError("this litgen was installed from a wheel; expected a checkout. Run it from there.")
        if len(arguments) != 1 or not arguments[0]:
            raise UsageError("no version given. Write it as: make release VERSION=0.1.0")
        bundle = cut(source.root, arguments[0])
    except LitgenError as error:
        sys.stderr.write(f"release: {error}\n")
        sys.exit(error.exit_code)
    if bundle is None:
        sys.stdout.write(f"Working towards {arguments[0]}.\n")
        return
    sys.stdout.write(
        f"Wrote {bundle.relative_to(source.root)} and its notes. Next:\n"
        f"  git add -A && git commit -m 'Release {arguments[0]}' && git tag v{arguments[0]}\n"
        "  make release VERSION=X.Y.Z.dev0   # before the next change\n"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
