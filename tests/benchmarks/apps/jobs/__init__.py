"""jobs: device, handed in now and done later."""
