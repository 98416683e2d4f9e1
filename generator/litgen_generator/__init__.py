"""The generator behind the `litgen` command: questions, rendering and releases of the template."""
