"""Date the milestones of AI research automation over seeds: `asara milestones`."""
