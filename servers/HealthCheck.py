#!/usr/bin/env python3
"""Proof of life for the load balancer: accepts each connection and closes it at once.

A TCP health check passes when the connection is made; nothing is sent either way. It has a port of its own
because a probe that connects and says nothing would hold up a server that serves one client at a time.

Python 3.7 or newer, standard library only.   python3 HealthCheck.py [--port 5001]
"""

import argparse
import os
import socket
import sys


def listen(host, port):
    """Open the listening socket."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(128)
    return listener


def serve(listener):
    """Accept and close, for ever."""
    while True:
        try:
            connection, _ = listener.accept()
        except ConnectionError:
            continue  # the prober was gone before we came to it
        connection.close()


def main(arguments=None):
    """Run the server; returns the exit code."""
    parser = argparse.ArgumentParser(description="Accepts TCP connections and closes them: proof of life.")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on (default: all)")
    parser.add_argument("--port", type=int, default=int(os.environ.get("HEALTHCHECK_PORT", "5001")))
    options = parser.parse_args(arguments)
    try:
        listener = listen(options.host, options.port)
        print("HealthCheck answers on port {}".format(listener.getsockname()[1]), flush=True)
        serve(listener)
    except (OSError, OverflowError) as error:
        print("HealthCheck: port {}: {}".format(options.port, error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
