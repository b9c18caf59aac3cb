"""What the page says: one state in words, ages, rates, episodes; without ROS."""
