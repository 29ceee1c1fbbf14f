"""Alerts at work: what is watched is collected, rules are asked, people are told, and all of it is kept."""
