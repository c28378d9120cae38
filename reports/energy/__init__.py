"""Energy of a run from its counted actions."""
