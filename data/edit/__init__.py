"""New stores made from what others hold."""
