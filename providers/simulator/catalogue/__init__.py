"""The catalogue of what can go wrong between a client and a host, fault by fault."""
