"""What runs inside an instance: its init, its boot sequence and its stand-ins for a few commands.

Started with ``python -S -E`` for a fast boot, so everything here needs the standard library only; and of it
what loads quickly: named tuples, not dataclasses (which load ``inspect``), no ``pathlib`` or ``shutil``.
"""
