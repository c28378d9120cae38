"""Finding the policy of a model: search, ranges of skipping runs."""
