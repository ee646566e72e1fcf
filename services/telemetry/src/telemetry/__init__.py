"""Samples the host: CPU, memory, disks, GPUs."""
