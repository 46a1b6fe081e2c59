"""The console's left-hand menu: each module is an entry, each function a button, in the lab sheet's order.

Pure builders (``..._request``) sit above thin calls. Every function that makes something looks in the
ledger, then by tag, then creates it (``ensure.py``), so running a step twice changes nothing.
"""
