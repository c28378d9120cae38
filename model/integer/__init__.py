"""The integer model: calibration, quantization, and the bit-exact reference of the machine."""
