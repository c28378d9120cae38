"""Energy accounting, plots and the report."""
