"""Files and folders of weights, and the names that other programs give them."""
