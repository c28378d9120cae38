"""How fast each simulator runs the accelerator."""
