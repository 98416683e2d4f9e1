"""device: an accelerator with a fixed step. What is left is how well batches are filled and the device is kept busy."""
