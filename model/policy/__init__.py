"""Skip policies: settings, the integers they become, and their files."""
