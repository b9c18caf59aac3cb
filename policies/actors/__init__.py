"""What steers a frozen policy from what it sees: small networks over the noise, or over what is executed."""
