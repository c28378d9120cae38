"""Models in the layouts and names of other programs."""
