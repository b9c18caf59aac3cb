"""Who may look, and what is sent to them: the server of the page, without ROS."""
