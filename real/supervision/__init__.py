"""What a person sees of a running graph: what is known of it, and how it is shown. No ROS here."""
