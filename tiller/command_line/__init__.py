"""What verbs share: help, words, one configuration for one run."""
