"""swarm - a thousand clients of the HTTP server and the control socket, few of which mean well

    python3 swarm.py HOST PORT CONTROL_SOCKET [CLIENTS]

Each has a kind: it asks and reads, asks and does not read, says a byte now and then, says nothing, or says rubbish.
Prints how many answers came when it is ended by TERM.
"""
import asyncio
import contextlib
import os
import random
import resource
import signal
import sys

ANSWERS = {"http": 0, "control": 0}
STATUS = b'{"command": "status"}\n'
PATHS = (b"/", b"/metrics", b"/status.json", b"/healthz", b"/?q=%22&state=down")


async def connect(where):
    """A stream to the HTTP server or, when it is a path, to the control socket."""
    if isinstance(where, str):
        return await asyncio.open_unix_connection(where)
    return await asyncio.open_connection(*where)


async def ask(reader, writer, kind):
    """A request that is one, and its answer."""
    path = random.choice(PATHS)
    writer.write(STATUS if kind == "control" else
                 b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    if (await reader.read(-1)).startswith((b"HTTP/1.1 200", b'{"version"')):
        ANSWERS[kind] += 1


async def ask_and_look_away(_, writer, kind):
    """Many requests whose answers nobody reads."""
    writer.write((STATUS if kind == "control" else b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
                 * 50)
    await asyncio.sleep(2)


async def drip(reader, writer, kind):
    """A byte now and then."""
    for byte in (STATUS if kind == "control" else b"GET / HTTP/1.1\r\nX-Slow: " + b"y" * 100):
        writer.write(bytes([byte]))
        with contextlib.suppress(asyncio.TimeoutError):
            if await asyncio.wait_for(reader.read(1), 0.3) == b"":
                return


async def sit_there(reader, _, __):
    """Nothing."""
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(reader.read(1), 5)


async def rave(reader, writer, _):
    """Rubbish."""
    writer.write(os.urandom(random.choice((1, 100, 5000, 20000))) + b"\r\n\r\n\n")
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(reader.read(100), 0.5)


async def client(where, kind, behave):
    """Again and again."""
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await connect(where)
            try:
                await behave(reader, writer, kind)
            finally:
                writer.transport.abort()
        await asyncio.sleep(random.uniform(0.5, 1.5))


async def main(host, port, control, clients=1000):
    """All of them, until TERM."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    kinds = [((host, int(port)), "http"), ((host, int(port)), "http"), (control, "control")]
    ways = [ask, ask_and_look_away, drip, sit_there, rave]
    tasks = [asyncio.create_task(client(*kinds[number % 3], ways[number // 3 % 5]))
             for number in range(int(clients))]
    assert tasks
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    print("going", flush=True)
    await ended.wait()
    print(ANSWERS["http"], ANSWERS["control"], flush=True)
    os._exit(0)  # a thousand good-byes would only take time


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
