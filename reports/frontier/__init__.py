"""Image error against cost, for published policies and ours."""
