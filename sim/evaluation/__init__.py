"""Episodes of policies and of scripted experts, side by side in worker processes."""
