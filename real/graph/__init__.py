"""The processes of a deployment, as data and running."""
