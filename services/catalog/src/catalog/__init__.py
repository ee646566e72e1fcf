"""Keeps the preset catalog and knows which model files are on the disk."""
