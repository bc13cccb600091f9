#!/usr/bin/env python3
"""Side-by-side benchmark of reverse proxies on a small, noisy machine. Standard library only.

  run.py --workloads W1,W4 --proxies haproxy,nginx,portcullis --rounds 3 --json out.json --table out.md

The primary figure is CPU microseconds of the proxy's process tree per completed request: it moves far less with a
busy neighbour than requests per second do. Proxies are interleaved A B C A B C. The proxy (one worker) is pinned to
one core, upstream and load to another. PORTCULLIS_BIN names our binary; HAPROXY_BIN and NGINX_BIN default to what is
installed. Everything listens on 127.0.0.1 on free ports and is ended by its process id. README.md says more.
"""
import sys

from bench.main import main

if __name__ == "__main__":
    sys.exit(main())
