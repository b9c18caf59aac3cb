"""The twin's topics: what its node publishes in a driver's place, and what it hears."""
