"""What a run does: counts, forecasts, external traffic."""
