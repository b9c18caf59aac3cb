"""The interface of one robot: the contract between a policy's vector of targets and its drivers' topics."""
