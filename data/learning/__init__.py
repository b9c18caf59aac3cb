"""What learning reads: windows, orders, splits, statistics."""
