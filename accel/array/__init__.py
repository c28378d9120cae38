"""The MAC array with its operands and drain: everything that tile commands run through."""
