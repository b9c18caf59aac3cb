"""The learnt part, the policy around it, and the checkpoint that holds both."""
