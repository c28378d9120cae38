"""Published caching policies: what ours is compared with."""
