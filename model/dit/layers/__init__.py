"""Parts of the float transformer."""
