"""What every node shares: its life, its clock, its QoS, and the conversion of ROS messages to arrays."""
