"""Bundles of signals that travel together, and what they are made of."""
