"""The accelerator behind AXI: a wrapper around ``radit_top`` with AXI4 for memories, AXI4-Lite for registers."""
