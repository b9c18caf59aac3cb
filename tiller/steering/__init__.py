"""The ladder of steering: rungs around a frozen policy, each replaced only by one that a paired test prefers."""
