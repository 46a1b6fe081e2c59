"""Instances as real processes: images, user-data, the boot sequence, and the fleet that keeps them.

fleet         what should be -> what is, one thing at a time for each instance
process       the driver: boot, halt, measure; nothing is left behind
running       the side folder of a running instance
images        file trees that come and go whole; catalogue: those that are there at first
userdata      raw user-data -> a plan
inside/       what runs in the instance; shim/: what its Python programs load
"""
