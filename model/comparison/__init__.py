"""Baselines and detectors on the integer reference."""
