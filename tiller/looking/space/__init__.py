"""What is drawn of an episode in space: the robot, what stands round it, bodies whose poses are known."""
