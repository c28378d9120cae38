"""Projections of runs that are not simulated."""
