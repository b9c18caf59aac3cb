"""What a recorder is made of, without ROS: which streams are well, rows of a take, and the thread that writes them."""
