"""Machines in one file: array, memories, clock, node and energy table."""
