"""The twin's topics: what its node publishes in place of a driver, and what it subscribes to."""
