"""Simulators of the accelerator behind one protocol (``base.Engine``)."""
