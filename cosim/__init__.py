"""Co-simulation of the accelerator against the integer reference."""
