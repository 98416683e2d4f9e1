"""One package per endpoint: schemas.py is what it accepts and returns, model.py does the work."""
