"""Mutants of the RTL: small changes made by a program, and what the tests say of each."""
