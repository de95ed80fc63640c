"""The command `h2h`: one module a verb."""
