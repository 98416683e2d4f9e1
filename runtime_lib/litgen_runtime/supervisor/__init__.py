"""The supervisor: it starts, watches and stops every process of a service, and runs none of the owner's code."""
