"""Exact differences: products of words that are close to a base, the specification of what an engine would do."""
