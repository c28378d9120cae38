"""A run of a model as files and a self-checking Verilog bench, for simulators that know nothing of this project."""
