"""A worker process: one endpoint on one device. It never imports the web side."""
