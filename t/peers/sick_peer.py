#!/usr/bin/python3
"""sick_peer - an SMTP or LMTP server that is as healthy or as sick as a test wants

In a test: SickPeer(address).start(), then set("hang") and so on at any time; new connections get the
new behaviour, connections that hang go on when release() is called.  stop() makes the address
refuse, start() brings it back.

As a program it can be killed like a real server:

    sick_peer.py [--lmtp] [--behaviour NAME] [--journal FILE] inet:HOST:PORT | unix:PATH

It prints "ready" when it listens, and appends a line "TIME ID RECIPIENT..." to the journal before
it answers 250 to the end of data, so that a message is in the journal if anybody believes it is.
"""
import argparse
import asyncio
import base64
import binascii
import collections
import contextlib
import dataclasses
import hashlib
import hmac
import os
import re
import socket
import struct
import sys
import threading
import time

BEHAVIOURS = (
    "healthy",
    "hang",          # accepts, says nothing
    "slow",          # greets after `delay` seconds
    "postscreen",    # "220-" at once, "220 " after `delay` seconds
    "greet_421",
    "greet_554",
    "close",         # accepts, hangs up
    "reset",         # accepts, resets the connection
    "garbage",       # bytes that are no SMTP
    "http",          # an HTTP server
    "drop_greeting",  # hangs up in the middle of the greeting line
    "drop_hello",    # hangs up when it hears EHLO
    "drop_data",     # hangs up when it hears DATA
    "drip",          # the greeting byte by byte, one every `delay` seconds
    "flood",         # greeting lines without end
    "endless",       # a greeting line without end
    "long_line",     # a greeting line of 100 kB
    "many_lines",    # an answer of 10,000 lines to EHLO
    "nuls",          # lines of NULs
    "hello_4xx",
    "hello_5xx",
    "auth",          # offers AUTH `mechanisms`, judges by `accounts`, or says `reply`; see AUTH_OPTIONS
    "greylist",      # 450 to RCPT, with words that belong into a log
)
AUTH_OPTIONS = {
    "mechanisms": "PLAIN LOGIN CRAM-MD5",  # "": AUTH is not offered
    "spelling": "AUTH ",                   # or "AUTH=", as old servers have it
    "accounts": {},                        # user: password
    "reply": None,                         # whatever was sent, instead of 235 or 535
    "trick": None,                         # "garbage", "hang", "drop" or "echo" when AUTH is heard
    "under_tls": False,                    # AUTH is offered under TLS alone
}
GREYLISTED = ("450 4.2.0 greylisted, relay=none, delay=0, delays=0/0/0/0, dsn=4.4.1, status=deferred (lost"
              " connection with us while receiving the initial server greeting)")
DEFAULT_DELAY = {"slow": 2.0, "postscreen": 6.0, "drip": 0.5}
HEADER_ID = re.compile(rb"^X-Test-Id: *(\S+)", re.MULTILINE | re.IGNORECASE)


@dataclasses.dataclass
class Message:
    """One message that was accepted."""
    when: float
    sender: str
    recipients: list
    data: bytes

    @property
    def ident(self):
        """The X-Test-Id header, or ""."""
        found = HEADER_ID.search(self.data)
        return found.group(1).decode() if found else ""

    def header(self):
        """The header lines, unfolded, in order: [(name, value)]."""
        head = self.data.split(b"\r\n\r\n", 1)[0].decode("utf-8", "replace")
        lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
        return [tuple(part.strip() for part in line.split(":", 1)) for line in lines if ":" in line]


class Gone(Exception):
    """The client went away, or we hang up on it."""


def parse_address(text):
    """"inet:HOST:PORT" or "unix:PATH" as (family, address)."""
    kind, rest = text.split(":", 1)
    if kind == "unix":
        return socket.AF_UNIX, rest
    host, port = rest.rsplit(":", 1)
    host = host.strip("[]")
    return (socket.AF_INET6 if ":" in host else socket.AF_INET), (host, int(port))


class SickPeer:
    """One address, one behaviour at a time; runs in a thread of its own."""

    def __init__(self, address, behaviour="healthy", lmtp=False, name="peer.example.test",
                 make_socket=socket.socket, journal=None):
        self.address = address
        self.family, self.bind_to = parse_address(address)
        self.lmtp = lmtp
        self.name = name
        self.messages = []
        self.attempts = []       # to authenticate: (mechanism, what was sent, decoded)
        self.recipients_asked = []
        self.connections = 0
        self.log = collections.deque(maxlen=5000)
        self._make_socket = make_socket
        self._journal = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC) \
            if journal else -1
        self._behaviour = behaviour
        self._options = {}
        self._loop = None
        self._thread = None
        self._server = None
        self._released = None
        self._tasks = set()

    # -- what a test calls --------------------------------------------------------------------

    def start(self):
        """Listen; returns self.  Fine to call again after stop()."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
            self._thread.start()
        self._on_loop(self._listen())
        self._note("listening")
        return self

    def stop(self):
        """Refuse from now on, and reset what is connected."""
        if self._loop is not None and self._server is not None:
            self._on_loop(self._hang_up())
            if self.family == socket.AF_UNIX:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.bind_to)
        self._note("stopped")

    def close(self):
        """stop(), and end the thread."""
        if self._loop is None:
            return
        self.stop()
        self._on_loop(self._settle())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = None

    def set(self, behaviour, **options):
        """What new connections meet; options: delay (seconds)."""
        assert behaviour in BEHAVIOURS, behaviour
        self._behaviour = behaviour
        self._options = options
        self._note(f"behaviour {behaviour} {options or ''}")
        return self

    def release(self):
        """Let connections that hang go on as healthy ones."""
        self._note("released")
        self._on_loop(self._release())

    def ids(self):
        """The X-Test-Id of every message accepted so far, in order."""
        return [message.ident for message in list(self.messages)]

    def find(self, ident):
        """The message with this X-Test-Id, or None."""
        return next((message for message in list(self.messages) if message.ident == ident), None)

    # -- the server ---------------------------------------------------------------------------

    def _note(self, text):
        self.log.append(f"{time.time():.3f} {text}")

    def _on_loop(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self):
        if self._server is not None:
            return
        self._released = asyncio.Event()
        sock = self._make_socket(self.family, socket.SOCK_STREAM)
        if self.family == socket.AF_UNIX:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.bind_to)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(self.bind_to)
        if self.family == socket.AF_UNIX:
            os.chmod(self.bind_to, 0o666)
        sock.listen(1024)
        sock.setblocking(False)
        self._server = await asyncio.start_server(self._serve, sock=sock, limit=1 << 20)

    async def _hang_up(self):
        server, self._server = self._server, None
        server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def released(self):
        """Wait for release()."""
        await self._released.wait()

    @staticmethod
    async def _settle():
        """Let closed transports have their last callbacks."""
        for _ in range(5):
            await asyncio.sleep(0)

    async def _release(self):
        self._released.set()
        self._released = asyncio.Event()

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        self.connections += 1
        number = self.connections
        behaviour, options = self._behaviour, dict(self._options)
        options.setdefault("delay", DEFAULT_DELAY.get(behaviour, 0.0))
        self._note(f"#{number} connect ({behaviour})")
        try:
            await self.make_conversation(number, reader, writer, behaviour, options).run()
            self._note(f"#{number} closed")
        except (Gone, OSError, EOFError, asyncio.LimitOverrunError) as error:
            self._note(f"#{number} gone: {error!r}")
        except asyncio.CancelledError:
            self._abort(writer)
            self._note(f"#{number} reset by us")
        finally:
            self._tasks.discard(task)
            writer.close()

    def make_conversation(self, *args):
        """What serves one connection."""
        return Conversation(self, *args)

    @staticmethod
    def _abort(writer):
        with contextlib.suppress(OSError):
            writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    def accepted(self, message):
        """Keep a message; in the journal before anybody hears of it."""
        if self._journal >= 0:
            line = f"{message.when:.6f} {message.ident} {' '.join(message.recipients)}\n"
            os.write(self._journal, line.encode())
        self.messages.append(message)


class Conversation:
    """One connection."""

    def __init__(self, peer, number, reader, writer, behaviour, options):
        self.peer = peer
        self.number = number
        self.reader = reader
        self.writer = writer
        self.behaviour = behaviour
        self.delay = options["delay"]
        self.auth = {**AUTH_OPTIONS, **options}
        self.sender = None
        self.recipients = []

    async def run(self):
        """From the greeting to QUIT."""
        greet = getattr(self, f"_greet_{self.behaviour}", self._greet_healthy)
        await greet()
        while True:
            line = await self._line()
            verb = line.split(b" ", 1)[0].upper()
            handler = getattr(self, f"_on_{verb.decode('ascii', 'replace').lower()}", None)
            if handler is None:
                await self._say("502 5.5.2 not implemented")
            elif not await handler(line):
                return

    async def _line(self):
        line = await self.reader.readline()
        if not line.endswith(b"\n"):
            raise Gone("end of file")
        return line.rstrip(b"\r\n")

    async def _say(self, text):
        self.writer.write(text.encode() + b"\r\n")
        await self.writer.drain()

    # -- greetings ----------------------------------------------------------------------------

    def _banner(self):
        return f"220 {self.peer.name} {'LMTP' if self.peer.lmtp else 'ESMTP'} sick_peer"

    async def _greet_healthy(self):
        await self._say(self._banner())

    async def _greet_hang(self):
        # A hung server does not even notice that its client leaves.
        await self.peer.released()
        await self._say(self._banner())

    async def _greet_slow(self):
        await asyncio.sleep(self.delay)
        await self._say(self._banner())

    async def _greet_postscreen(self):
        await self._say(f"220-{self.peer.name} please wait")
        await asyncio.sleep(self.delay)
        await self._say(self._banner())

    async def _greet_greet_421(self):
        await self._say("421 4.3.2 service not available, try later")
        raise Gone("421")

    async def _greet_greet_554(self):
        await self._say("554 5.7.1 you are blocked")
        await self._until_quit()
        raise Gone("554")

    async def _greet_close(self):
        raise Gone("hang up at once")

    async def _greet_reset(self):
        SickPeer._abort(self.writer)
        raise Gone("reset at once")

    async def _greet_garbage(self):
        self.writer.write(bytes(range(256)) * 4 + b"\r\n")
        await self.writer.drain()
        await self._until_quit()
        raise Gone("garbage")

    async def _greet_http(self):
        await self._say("HTTP/1.0 400 Bad Request\r\nContent-Length: 0\r\n")
        raise Gone("http")

    async def _greet_drop_greeting(self):
        self.writer.write(b"220-half a greet")
        await self.writer.drain()
        raise Gone("in mid-greeting")

    async def _greet_drip(self):
        for byte in (self._banner() + "\r\n").encode():
            self.writer.write(bytes([byte]))
            await self.writer.drain()
            await asyncio.sleep(self.delay)

    async def _greet_flood(self):
        while True:
            self.writer.write(b"220-" + b"x" * 500 + b"\r\n")
            await self.writer.drain()
            await asyncio.sleep(0)

    async def _greet_endless(self):
        self.writer.write(b"220 ")
        while True:
            self.writer.write(b"x" * 500)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def _greet_long_line(self):
        await self._say(self._banner() + " " + "x" * 100_000)

    async def _greet_nuls(self):
        self.writer.write((b"\0" * 100 + b"\r\n") * 10)
        await self.writer.drain()
        await self._until_quit()
        raise Gone("nuls")

    async def _until_quit(self):
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._quit_or_gone(), 5)

    async def _quit_or_gone(self):
        while (await self._line()).upper() != b"QUIT":
            pass
        await self._say("221 2.0.0 bye")

    # -- commands: True to go on --------------------------------------------------------------

    async def _hello(self, replies):
        if self.behaviour == "drop_hello":
            raise Gone("at hello")
        if self.behaviour in ("hello_4xx", "hello_5xx"):
            await self._say({"hello_4xx": "451 4.3.0 not now", "hello_5xx": "550 5.7.1 not you"}
                            [self.behaviour])
            return True
        if self.behaviour == "many_lines":
            replies = [f"250-X{number}" for number in range(10_000)] + replies
        for reply in replies:
            await self._say(reply)
        return True

    async def _on_ehlo(self, line):
        if self.peer.lmtp:
            return await self._on_rset(line, "500 5.5.1 LHLO please")
        return await self._hello([f"250-{self.peer.name}", "250-PIPELINING", "250-8BITMIME",
                                  *self._offered(),
                                  "250-XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT",
                                  "250 ENHANCEDSTATUSCODES"])

    async def _on_lhlo(self, line):
        if not self.peer.lmtp:
            return await self._on_rset(line, "500 5.5.1 EHLO please")
        return await self._hello([f"250-{self.peer.name}", "250-PIPELINING", "250 8BITMIME"])

    # -- authentication -----------------------------------------------------------------------

    def _offered(self):
        if self.behaviour != "auth" or not self.auth["mechanisms"]:
            return []
        return [f"250-{self.auth['spelling']}{self.auth['mechanisms']}"]

    async def _on_auth(self, line):
        words = line.decode().split()
        mechanism, initial = words[1].upper(), (words[2:] or [None])[0]
        self.peer._note(f"#{self.number} AUTH {mechanism}")
        if self.auth["trick"] is not None:
            self.peer.attempts.append((mechanism, self.auth["trick"]))
            return await self._trick(line)
        try:
            user, sent, is_right = await getattr(self, f"_auth_{mechanism.lower().replace('-', '_')}")(initial)
        except (binascii.Error, ValueError, UnicodeDecodeError):
            await self._say("501 5.5.2 cannot decode")
            return True
        self.peer.attempts.append((mechanism, sent))
        reply = self.auth["reply"] or (f"235 2.7.0 welcome {user}" if is_right
                                       else "535 5.7.8 authentication failed")
        await self._say(reply)
        return not reply.startswith("421")

    async def _trick(self, line):
        trick = self.auth["trick"]
        if trick == "drop":
            raise Gone("at AUTH")
        if trick == "garbage":
            await self._say("334 this is !no base64")
        if trick == "echo":
            await self._say(f"535 5.7.8 what is {line.decode()}")
            return True
        if trick == "hang":
            await self._say("334 ")
            await self._line()
        await self._until_quit()
        return False

    async def _challenge(self, text=""):
        await self._say("334 " + base64.b64encode(text.encode()).decode())
        return base64.b64decode(await self._line(), validate=True).decode()

    async def _auth_plain(self, initial):
        text = base64.b64decode(initial, validate=True).decode() if initial else await self._challenge()
        _identity, user, password = text.split("\0")
        return user, text, self.auth["accounts"].get(user) == password

    async def _auth_login(self, _initial):
        user = await self._challenge("Username:")
        password = await self._challenge("Password:")
        return user, f"{user}\0{password}", self.auth["accounts"].get(user) == password

    async def _auth_cram_md5(self, _initial):
        challenge = f"<{self.number}.{time.time()}@{self.peer.name}>"
        user, digest = (await self._challenge(challenge)).rsplit(" ", 1)
        right = hmac.new(self.auth["accounts"].get(user, "\0").encode(), challenge.encode(), hashlib.md5)
        return user, f"{user}\0{digest}", right.hexdigest() == digest

    async def _on_helo(self, _line):
        return await self._hello([f"250 {self.peer.name}"])

    async def _on_xforward(self, _line):
        await self._say("250 2.0.0 ok")
        return True

    async def _on_mail(self, line):
        self.sender = line.split(b":", 1)[1].split(b">")[0].strip(b" <").decode()
        self.recipients = []
        await self._say("250 2.1.0 ok")
        return True

    async def _on_rcpt(self, line):
        if self.behaviour == "greylist":
            await self._say(GREYLISTED)
            return True
        self.recipients.append(line.split(b":", 1)[1].split(b">")[0].strip(b" <").decode())
        self.peer.recipients_asked.append((self.sender, self.recipients[-1]))
        await self._say("250 2.1.5 ok")
        return True

    async def _on_data(self, _line):
        if self.behaviour == "drop_data":
            raise Gone("at DATA")
        if not self.recipients:
            await self._say("554 5.5.1 no recipients")
            return True
        await self._say("354 go on")
        data = bytearray()
        while (line := await self.reader.readline()) != b".\r\n":
            if not line.endswith(b"\n"):
                raise Gone("in the middle of the message")
            data += line[1:] if line.startswith(b"..") else line
        message = Message(time.time(), self.sender, list(self.recipients), bytes(data))
        self.peer.accepted(message)
        for _ in self.recipients if self.peer.lmtp else [None]:
            await self._say(f"250 2.0.0 taken as {len(self.peer.messages)}")
        self.peer._note(f"#{self.number} message {message.ident} to {message.recipients}")
        self.recipients = []
        return True

    async def _on_rset(self, _line, reply="250 2.0.0 ok"):
        await self._say(reply)
        return True

    async def _on_noop(self, _line):
        await self._say("250 2.0.0 ok")
        return True

    async def _on_quit(self, _line):
        await self._say("221 2.0.0 bye")
        return False


def main():
    """The program."""
    parser = argparse.ArgumentParser(description="a server that is as sick as you like")
    parser.add_argument("--lmtp", action="store_true")
    parser.add_argument("--behaviour", choices=BEHAVIOURS, default="healthy")
    parser.add_argument("--delay", type=float)
    parser.add_argument("--journal")
    parser.add_argument("address")
    args = parser.parse_args()
    peer = SickPeer(args.address, lmtp=args.lmtp, journal=args.journal)
    peer.set(args.behaviour, **({} if args.delay is None else {"delay": args.delay}))
    peer.start()
    print("ready", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
