"""The MAC array with its sequencers, operands and drain: everything that a computed sub-block runs through."""
