"""The sequencers of a sub-block: from its start to tile commands for the array."""
