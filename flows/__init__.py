"""Recipes around zoo: configurations, workers, tracking, and the command line."""
