"""Compare governance policies over seeds: `asara policies`."""
