"""Our policy with one thing changed at a time."""
