"""What comes to a recorder: its subscriptions, and each stream watched and read."""
