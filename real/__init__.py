"""ROS 2 nodes, cameras and teleoperation devices. The only room that imports rclpy and pyrealsense2."""
