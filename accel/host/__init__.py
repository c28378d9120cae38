"""The host's side of the accelerator: the packed model file, its readers, and the drivers in C and in Python."""
