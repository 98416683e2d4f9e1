"""The one version of generator, template and runtime; `make release` sets it."""

__version__ = "0.4.0.dev0"
