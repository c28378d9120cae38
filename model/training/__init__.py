"""Training of the shipped models, and their data."""
