"""Experience: decisions as they were made, and what came of them."""
