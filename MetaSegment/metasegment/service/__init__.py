"""The learner as an HTTP service: volumes by their hash, a fair queue of jobs, one worker for each device.

Everything it holds is a cache in memory, bounded in bytes; nothing is ever written to disk.
"""
