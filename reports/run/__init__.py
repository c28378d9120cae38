"""What a co-simulated run leaves: summary, arrays, pictures, report."""
