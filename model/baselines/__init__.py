"""Published caching policies and fewer steps: what ours is compared with."""
