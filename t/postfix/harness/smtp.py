"""smtp - a client that shows every reply literally"""
import base64
import contextlib
import dataclasses
import socket
import time
import uuid

OTHER = "127.0.0.66"      # a client whom the site does not know
MYNETWORKS = "127.0.0.1"  # a client in mynetworks


class Reply(str):
    """A whole reply, lines joined by newlines; .code is its number."""

    @property
    def code(self):
        """The three digits as a number; 0 when the server hung up."""
        return int(self[:3]) if self[:3].isdigit() else 0


class Smtp:
    """One session.  Replies are kept in .transcript for reports."""

    def __init__(self, port, source=OTHER, host="127.0.0.1", timeout=20.0):
        self.transcript = []
        self._sock = socket.create_connection((host, port), timeout, (source, 0))
        self._file = self._sock.makefile("rb")
        self.greeting = self.reply()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Hang up without a word."""
        with contextlib.suppress(OSError):
            self._file.close()
            self._sock.close()

    def reply(self):
        """Read one reply; "" when the server hung up."""
        lines = []
        while True:
            line = self._file.readline()
            if not line:
                break
            lines.append(line.decode("utf-8", "replace").rstrip("\r\n"))
            if line[3:4] != b"-":
                break
        self.transcript += [f"S: {line}" for line in lines]
        return Reply("\n".join(lines))

    def send(self, *commands):
        """Send commands in one write, read nothing."""
        self.transcript += [f"C: {command}" for command in commands]
        self._sock.sendall("".join(command + "\r\n" for command in commands).encode())

    def send_raw(self, data):
        """Send bytes as they are."""
        self.transcript.append(f"C: {data!r}")
        self._sock.sendall(data)

    def command(self, text):
        """Send one command and read its reply."""
        self.send(text)
        return self.reply()

    def pipeline(self, *commands):
        """Send commands in one write, then read one reply for each."""
        self.send(*commands)
        return [self.reply() for _ in commands]

    def hello(self, name="client.test"):
        """EHLO."""
        return self.command(f"EHLO {name}")

    def login(self, user="user@from.test", password="secret"):
        """AUTH PLAIN."""
        blob = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        return self.command(f"AUTH PLAIN {blob}")

    def mail(self, sender):
        """MAIL FROM."""
        return self.command(f"MAIL FROM:<{sender}>")

    def rcpt(self, recipient):
        """RCPT TO."""
        return self.command(f"RCPT TO:<{recipient}>")

    def data(self, text):
        """DATA and the message; the reply that decides, be it DATA's or the final one."""
        reply = self.command("DATA")
        if reply.code != 354:
            return reply
        self._sock.sendall(text.replace("\n", "\r\n").encode() + b"\r\n.\r\n")
        return self.reply()

    def quit(self):
        """QUIT."""
        reply = self.command("QUIT")
        self.close()
        return reply


@dataclasses.dataclass
class Sent:
    """What became of one message."""
    ident: str
    began: float
    ended: float
    rcpt: list
    data: Reply
    transcript: list
    rcpt_seconds: float = 0.0  # from the first RCPT to its last answer

    @property
    def accepted(self):
        """Did the server take responsibility?"""
        return self.data.code == 250

    @property
    def refusal(self):
        """The first reply that was not a yes, or ""."""
        for reply in [*self.rcpt, self.data]:
            if reply.code != 250 and reply != "":
                return reply
        return ""

    @property
    def queue_id(self):
        """From "250 2.0.0 Ok: queued as ID"."""
        return self.data.rsplit(" ", 1)[-1] if self.accepted else ""

    def __str__(self):
        return "\n".join(self.transcript)


def new_ident(prefix="m"):
    """An id that no other message has."""
    return f"{prefix}-{uuid.uuid4().hex[:16]}"


def message(ident, extra="", body="Hello."):
    """A small message; extra: header lines, each with a newline."""
    return (f"{extra}From: <sender@from.test>\nTo: <rcpt@to.test>\nSubject: test {ident}\n"
            f"Message-ID: <{ident}@client.test>\nDate: Sat, 21 Nov 2026 12:00:00 +0000\n"
            f"X-Test-Id: {ident}\n\n{body}\n")


def transact(session, recipients, sender="sender@from.test", ident=None, extra=""):
    """One message in a session that has said EHLO; RSET after a refusal."""
    ident = ident or new_ident()
    began = time.time()
    recipients = [recipients] if isinstance(recipients, str) else recipients
    mail = session.mail(sender)
    assert mail.code == 250, f"MAIL was answered {mail!r}"
    asked = time.monotonic()
    replies = [session.rcpt(recipient) for recipient in recipients]
    rcpt_seconds = time.monotonic() - asked
    final = Reply("")
    if any(reply.code == 250 for reply in replies):
        final = session.data(message(ident, extra))
    elif replies[-1].code not in (0, 421):
        session.command("RSET")
    return Sent(ident, began, time.time(), replies, final, list(session.transcript), rcpt_seconds)


def send(port, recipients, source=OTHER, login=False, **kwargs):
    """One message in a session of its own."""
    with Smtp(port, source) as session:
        assert session.greeting.code == 220, session.greeting
        hello = session.hello()
        assert hello.code == 250, hello
        if login:
            reply = session.login()
            assert reply.code == 235, f"AUTH was answered {reply!r}"
        sent = transact(session, recipients, **kwargs)
        with contextlib.suppress(OSError):
            session.quit()
        return sent
