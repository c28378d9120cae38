"""The accelerator as Verilog and VHDL, with the map of its boundary and the accepted lint warnings."""
