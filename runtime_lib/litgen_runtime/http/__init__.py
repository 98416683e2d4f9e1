"""The HTTP process: the door, the probes, the queues. It imports schemas, never models."""
