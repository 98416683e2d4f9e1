"""From the sources of template and runtime to the bundle that a project carries.

A release is one file, a git bundle of a single parentless commit: copier.yml, the questions, the template,
and in the template the runtime's wheel. The build of the generator's own wheel makes one too, so only the
standard library and hatchling are imported here.
"""
