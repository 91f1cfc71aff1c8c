#!/usr/bin/python3
"""tls_peer - an SMTP or LMTP server whose TLS is as healthy or as sick as a test wants

    authority = Authority(directory)
    TlsPeer(address, authority.issue("name", ["mx.example.test"])).start()

TLS begins with STARTTLS, or before the greeting (wrapper=True).  What happens there is set with set_tls(); everything else
is a SickPeer.  An Authority makes certificates with openssl(1).
"""
import asyncio
import contextlib
import dataclasses
import pathlib
import ssl
import subprocess

from sick_peer import Conversation, Gone, SickPeer

TLS_BEHAVIOURS = (
    "healthy",
    "not_offered",      # EHLO does not name STARTTLS
    "answers_454",      # STARTTLS is not to be had now
    "answers_502",      # ... at all
    "silent",           # no answer to STARTTLS
    "injected",         # plaintext behind the answer, in the same packet
    "drops_at_hello",   # hangs up when the ClientHello has come
    "drops_half",       # hangs up in the middle of its own flight
    "silent_handshake",  # reads the ClientHello and says nothing
    "garbage",          # answers the ClientHello with what is no TLS
    "drops_after",      # hangs up when the handshake is done
    "forgets_quit",     # closes without an answer to QUIT
    "hello_4xx",        # refuses EHLO under TLS
    "needs_certificate",  # of the client
)
HALF_BYTES = 200


def _openssl(*args, text=None):
    done = subprocess.run(["openssl", *map(str, args)], check=False, capture_output=True, text=True, input=text)
    assert done.returncode == 0, f"openssl {args}: {done.stderr}"


@dataclasses.dataclass
class Identity:
    """A certificate chain and its key."""
    chain: pathlib.Path
    key: pathlib.Path
    certificate: pathlib.Path

    def fingerprint(self, digest="sha256"):
        """As smtp_tls_fingerprint_cert_match has it."""
        done = subprocess.run(["openssl", "x509", "-noout", "-fingerprint", f"-{digest}", "-in",
                               str(self.certificate)], check=True, capture_output=True, text=True)
        return done.stdout.strip().split("=", 1)[1]


class Authority:
    """A certificate authority of our own."""

    def __init__(self, directory, name="Test Root"):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o755)
        self._count = 0
        self.file = self.directory / "ca.pem"
        self._key = self.directory / "ca.key"
        _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self._key, "-out", self.file,
                 "-days", 3650, "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE",
                 "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def issue(self, common_name, names=(), begins="20200101000000Z", ends="20491231235959Z", bits=2048,
              self_signed=False):
        """A certificate for DNS names (or "IP:ADDRESS"); begins and ends as openssl-ca(1) takes them."""
        self._count += 1
        base = self.directory / f"{self._count:02d}"
        key, request, certificate = (base.with_suffix(s) for s in (".key", ".csr", ".pem"))
        _openssl("genrsa", "-out", key, bits)
        _openssl("req", "-new", "-key", key, "-out", request, "-subj", f"/CN={common_name}")
        alternatives = ",".join(n if n.startswith("IP:") else f"DNS:{n}" for n in names)
        config = base.with_suffix(".cnf")
        base.with_suffix(".index").touch()
        config.write_text(
            "[ca]\ndefault_ca=a\n[a]\n"
            f"database={base}.index\nrand_serial=yes\nnew_certs_dir={self.directory}\n"
            "default_md=sha256\npolicy=p\nx509_extensions=x\nunique_subject=no\n[p]\ncommonName=supplied\n[x]\n"
            "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n"
            + (f"subjectAltName={alternatives}\n" if alternatives else ""), encoding="ascii")
        signer = ("-selfsign", "-keyfile", key) if self_signed else \
            ("-cert", self.file, "-keyfile", self._key)
        _openssl("ca", "-batch", "-notext", "-config", config, *signer, "-in", request, "-out", certificate,
                 "-startdate", begins, "-enddate", ends)
        chain = base.with_suffix(".chain")
        chain.write_text(certificate.read_text(encoding="ascii"), encoding="ascii")
        return Identity(chain, key, certificate)


class TlsPeer(SickPeer):
    """A SickPeer that can TLS."""

    def __init__(self, address, identity, wrapper=False, **kwargs):
        super().__init__(address, **kwargs)
        self.wrapper = wrapper
        self.tls = "healthy"
        self.handshakes = 0
        self.broken = 0       # handshakes that failed, or sessions that ended without close_notify
        self.identity = identity
        self.by_name = {}
        self.only = None      # an ssl.TLSVersion that is both least and greatest

    def set_tls(self, behaviour="healthy", identity=None, by_name=None, only=None):
        """What new connections meet; by_name: {name of SNI: Identity}."""
        assert behaviour in TLS_BEHAVIOURS, behaviour
        self.tls = behaviour
        self.identity = identity or self.identity
        self.by_name = by_name or {}
        self.only = only
        self._note(f"TLS {behaviour}")
        return self

    def context(self):
        """For one connection."""
        made = self._context_of(self.identity)
        contexts = {name: self._context_of(identity) for name, identity in self.by_name.items()}

        def choose(sock, name, _context):
            self._note(f"SNI {name}")
            if name in contexts:
                sock.context = contexts[name]
        made.sni_callback = choose
        return made

    def _context_of(self, identity):
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.set_ciphers("ALL:@SECLEVEL=0")
        made.minimum_version = ssl.TLSVersion.TLSv1
        if self.only is not None:
            made.minimum_version = made.maximum_version = self.only
        made.load_cert_chain(identity.chain, identity.key)
        if self.tls == "needs_certificate":
            made.verify_mode = ssl.CERT_REQUIRED
            made.load_verify_locations(identity.chain)
        return made

    def make_conversation(self, *args):
        """See SickPeer."""
        return TlsConversation(self, *args)


class TlsConversation(Conversation):
    """One connection."""

    is_encrypted = False

    async def run(self):
        """From the greeting, or the handshake, to QUIT."""
        if self.peer.wrapper:
            await self._encrypt()
        await super().run()

    async def _encrypt(self):
        self.tls = self.peer.tls
        early = {"drops_at_hello": self._drop, "drops_half": self._drop_half, "garbage": self._garbage,
                 "silent_handshake": self._keep_silent}.get(self.tls)
        if early is not None:
            await early()
        pipe = TlsPipe(self.reader, self.writer, self.peer.context())
        try:
            await pipe.handshake()
        except (ssl.SSLError, Gone, OSError):
            self.peer.broken += 1
            raise
        self.peer.handshakes += 1
        self.is_encrypted = True
        if self.tls == "drops_after":
            raise Gone("after the handshake")
        self.reader = self.writer = pipe

    async def _drop(self):
        await self.reader.read(4096)
        raise Gone("at ClientHello")

    async def _drop_half(self):
        hello = await self.reader.read(4096)
        pipe = TlsPipe(self.reader, self.writer, self.peer.context())
        self.writer.write(pipe.first_flight(hello)[:HALF_BYTES])
        await self.writer.drain()
        raise Gone("in the middle of the handshake")

    async def _garbage(self):
        await self.reader.read(4096)
        self.writer.write(bytes(range(256)) * 4)
        await self.writer.drain()
        await self._until_end()
        raise Gone("garbage")

    async def _keep_silent(self):
        await self._until_end()
        raise Gone("silent")

    async def _until_end(self):
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._swallow(), 30)

    async def _swallow(self):
        while await self.reader.read(4096):
            pass

    async def _hello(self, replies):
        if self.is_encrypted and self.peer.tls == "hello_4xx":
            await self._say("451 4.3.0 not under TLS")
            return True
        if not self.is_encrypted and not self.peer.wrapper and self.peer.tls != "not_offered":
            last = replies[-1].replace("250 ", "250-", 1)
            replies = replies[:-1] + [last, "250 STARTTLS"]
        return await super()._hello(replies)

    def _offered(self):
        return [] if self.auth["under_tls"] and not self.is_encrypted else super()._offered()

    async def _on_starttls(self, _line):
        answers = {"answers_454": "454 4.7.0 TLS not available", "answers_502": "502 5.5.1 no TLS"}
        if self.peer.tls in answers:
            await self._say(answers[self.peer.tls])
            return True
        if self.peer.tls == "silent":
            await self._keep_silent()
        extra = "\r\n250 injected" if self.peer.tls == "injected" else ""
        await self._say("220 2.0.0 go ahead" + extra)
        await self._encrypt()
        return True

    async def _on_quit(self, line):
        if self.is_encrypted and self.peer.tls == "forgets_quit":
            raise Gone("at QUIT")
        goes_on = await super()._on_quit(line)
        if self.is_encrypted:
            await self.writer.end()
        return goes_on


class TlsPipe:
    """A reader and a writer over those of a connection."""

    def __init__(self, reader, writer, context):
        self._reader, self._writer = reader, writer
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._plain = b""
        self.transport = writer.transport

    def first_flight(self, hello):
        """What a server says to a ClientHello."""
        self._in.write(hello)
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
        return self._out.read()

    async def _flush(self):
        if self._out.pending:
            self._writer.write(self._out.read())
            await self._writer.drain()

    async def _fill(self):
        data = await self._reader.read(16384)
        if not data:
            raise Gone("end of file under TLS")
        self._in.write(data)

    async def handshake(self):
        """As a server."""
        while True:
            try:
                self._tls.do_handshake()
                await self._flush()
                return
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()
            except ssl.SSLError:
                await self._flush()
                raise

    async def readline(self):
        """See asyncio.StreamReader."""
        while b"\n" not in self._plain:
            try:
                piece = self._tls.read(16384)
                if not piece:
                    break
                self._plain += piece
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()
            except ssl.SSLZeroReturnError:
                break
        line, end, self._plain = self._plain.partition(b"\n")
        return line + end

    def write(self, data):
        """See asyncio.StreamWriter."""
        self._tls.write(data)

    async def drain(self):
        """See asyncio.StreamWriter."""
        await self._flush()

    async def end(self):
        """Exchange close_notify with the client; Gone when it does not say it."""
        while True:
            try:
                self._tls.unwrap()
                await self._flush()
                return
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()

    def close(self):
        """See asyncio.StreamWriter."""
        self._writer.close()

    def get_extra_info(self, name):
        """See asyncio.StreamWriter."""
        return self._writer.get_extra_info(name)
