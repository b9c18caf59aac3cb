"""What a robot is and how an action reaches it safely."""
