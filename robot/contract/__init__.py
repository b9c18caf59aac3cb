"""What one robot speaks: the contract between a policy's vector of targets and its drivers' topics."""
