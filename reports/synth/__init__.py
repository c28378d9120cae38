"""Synthesis for FPGAs and standard cells: resources by part of the machine, placement, and the clock."""
