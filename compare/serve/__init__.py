"""Measuring on a schedule."""
