"""On-chip memories: words, banks and rings."""
