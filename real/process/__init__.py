"""The life of a node's process: settings, parameters, start, end, priority, transport."""
