"""Learn, sample and steer policies."""
