"""The accelerator behind AXI, driven as a host drives it: packed models, simulated buses, whole images."""
