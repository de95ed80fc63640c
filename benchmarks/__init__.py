"""What the bench itself costs, each time as a ratio to a floor in the same run."""
