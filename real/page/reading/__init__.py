"""Messages for the page: streams that are looked at instead of being called for, and images read in place."""
