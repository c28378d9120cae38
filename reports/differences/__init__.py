"""What exact differences would save: narrow words, cycles, traffic, energy and cells."""
