"""From a job to rows: configuration, plan, wire, engine, budget."""
