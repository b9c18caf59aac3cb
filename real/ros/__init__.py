"""What every node shares: its life, its clock, its QoS, and the one place where ROS messages become arrays."""
