"""The cycle model, unit by unit."""
