"""What a policy is made of and how it is trained, as plain values."""
