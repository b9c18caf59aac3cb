"""What a program needs to use a robot over its graph: its subscriptions, whether there is a graph, and starting one."""
