"""Runs past one machine: with LAB_RAY_ADDRESS set, the nodes of a Ray cluster train what is queued here.

`node` is what runs there, `connection` how this machine speaks with it, `driver` the process that serves the queue: it
alone writes the store and the files. Ray is imported in `connection` alone, and only when a cluster is asked for.
"""
