"""Arithmetic and storage units; each follows the golden function of the same stem in ``model/ops``."""
