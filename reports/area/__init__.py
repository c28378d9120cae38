"""Synthesized cells of every part, and what detection costs."""
