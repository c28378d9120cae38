"""Traffic with the cache of computed results and the code history in external memory."""
