"""Kills, interrupts and faults through the real CLI, and an audit of every key: ``make faults``."""
