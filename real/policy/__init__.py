"""What a policy's node is made of, without ROS."""
