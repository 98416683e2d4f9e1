"""Thousands of random faults against one real service, and the claims that have to hold all the same."""
