"""What to ask and when: requests, prompts, checks, scenarios, load and plan."""
