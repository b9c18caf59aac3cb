"""What a program needs to use a robot over its graph: what it hears, whether there is a graph, and starting one."""
