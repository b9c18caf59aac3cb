"""What steers by the noise that chunks start from, with nothing learnt."""
