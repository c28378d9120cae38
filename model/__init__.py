"""The diffusion transformer in software: float model, integer specification, sampler and skip policy.

Importing this package imports no torch: the hardware generator reads configs and formats from it without one.
"""
