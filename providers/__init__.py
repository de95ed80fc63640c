"""How to speak to a host: dialects, decoding, the wire and the simulated hosts."""
