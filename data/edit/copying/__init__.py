"""Copy episodes of stores into a new one, in bounded memory: what every edit stands on."""
