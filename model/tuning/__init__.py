"""Finding the policy of a model: search, error meter, ranges of skipping runs."""
