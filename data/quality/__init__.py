"""How good demonstrations are: measures of each episode and of the whole, and a score that training takes as weight."""
