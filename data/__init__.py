"""Everything at rest: rows, prices, the store, queries and exports."""
