"""Serves the FastAPI program with uvicorn, one worker per core.

`uvicorn --workers` opens its socket without a protocol number, and asyncio then leaves Nagle's algorithm on: every answer waits
44 ms for the client's delayed acknowledgement. That would measure a mistake instead of the peer, so this opens the socket.
"""

import multiprocessing
import os
import socket

import uvicorn


def serve(listener):
    config = uvicorn.Config("fastapi_app:app", access_log=False, log_level="warning", ssl_certfile=os.environ.get("TLS_CERT_FILE"),
                            ssl_keyfile=os.environ.get("TLS_KEY_FILE"))
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(os.environ["PORT"])))
    # The end of this process also ends daemon processes.
    workers = [multiprocessing.Process(target=serve, args=(listener,), daemon=True)
               for _ in range(len(os.sched_getaffinity(0)) - 1)]
    for worker in workers:
        worker.start()
    serve(listener)
