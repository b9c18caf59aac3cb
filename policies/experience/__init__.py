"""Learning from the decisions of a frozen policy: what it draws is kept, and never drawn again to learn from."""
