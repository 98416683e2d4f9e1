"""Telling others that a job has begun or ended: signed, guarded, tried again until they have heard."""
