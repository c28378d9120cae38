"""Our cycles and energies beside those of other tools."""
