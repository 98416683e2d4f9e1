"""The summaries service: service.toml says what it serves, litgen_runtime serves it."""
