"""Small helpers of a co-simulation."""
