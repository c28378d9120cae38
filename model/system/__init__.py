"""What the operating system gives: processes, locks, and caches in its files."""
