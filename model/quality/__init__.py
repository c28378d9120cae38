"""How good generated images and clips are, and who judges them."""
