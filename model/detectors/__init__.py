"""Other ways to decide what is reused, for comparison with the compressed codes."""
