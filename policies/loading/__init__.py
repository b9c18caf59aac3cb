"""From the folder of a checkpoint to a policy, whatever kind it is of."""
