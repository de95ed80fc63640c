"""Simulated hosts: real HTTP servers on loopback, each with a log of truth."""
