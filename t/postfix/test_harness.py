"""The harness itself: a Postfix without a milter, a real amavis, peers, namespaces, DNS."""
import socket
import subprocess

import pytest

from harness.net import DNS_ADDRESS, REMOTE_ADDRESS
from harness.smtp import MYNETWORKS, Smtp, send
from harness.wait import wait_until


def test_mail_goes_through_a_plain_postfix(site):
    postfix = site.postfix()
    sink = site.peer()
    postfix.route("to.test", f"smtp:[127.0.0.1]:{sink.bind_to[1]}")
    postfix.start()
    sent = send(postfix.port, ["a@to.test", "b@to.test"])
    assert sent.accepted, sent
    wait_until(lambda: sink.find(sent.ident), 5, "delivery")
    postfix.wait_empty()


def test_a_chrooted_smtpd_and_authenticated_clients(site):
    postfix = site.postfix(chroot=True)
    sink = site.peer()
    postfix.route("to.test", f"smtp:[127.0.0.1]:{sink.bind_to[1]}")
    site.sasl(postfix)
    postfix.start()
    sent = send(postfix.port, "a@to.test", login=True)
    assert sent.accepted, sent
    wait_until(lambda: sink.find(sent.ident), 5, "delivery")


@pytest.mark.seconds(8)
def test_mail_goes_through_amavis_and_back(site):
    postfix = site.postfix()
    sink = site.peer()
    amavis = site.amavis(postfix.reentry)
    postfix.route("to.test", f"smtp:[127.0.0.1]:{sink.bind_to[1]}")
    postfix.params["content_filter"] = f"smtp-amavis:[127.0.0.1]:{amavis.port}"
    postfix.start()
    amavis.start()
    sent = send(postfix.port, "a@to.test")
    assert sent.accepted, sent
    wait_until(lambda: sink.find(sent.ident), 10, "delivery")
    assert any(name == "Received" and "(amavis, port" in value
               for name, value in sink.find(sent.ident).header())
    amavis.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", amavis.port), 1)


def test_a_remote_address_swallows_syns_and_comes_back(site):
    peer = site.peer(remote=True)
    socket.create_connection(peer.bind_to, 1).close()
    site.world.drop(REMOTE_ADDRESS)
    with pytest.raises(TimeoutError):
        socket.create_connection(peer.bind_to, 0.5)
    site.world.heal(REMOTE_ADDRESS)
    socket.create_connection(peer.bind_to, 1).close()


def test_names_are_asked_of_our_name_server(site):
    site.dns.set("relay.example.test", a=["198.51.100.2"], aaaa=["2001:db8:51::2"])
    with open("/etc/resolv.conf", encoding="ascii") as file:
        assert DNS_ADDRESS in file.read()
    code = ("import socket; "
            "print(sorted({i[4][0] for i in socket.getaddrinfo('relay.example.test', 25)}))")
    done = subprocess.run(["/usr/bin/python3", "-c", code], check=True, text=True,
                          capture_output=True, timeout=10)
    assert done.stdout.strip() == "['198.51.100.2', '2001:db8:51::2']"
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("absent.example.test", 25)


GREETINGS = {
    "healthy": b"220 peer.example.test ESMTP sick_peer\r\n",
    "greet_421": b"421 ", "greet_554": b"554 ", "close": b"", "drop_greeting": b"220-half",
    "garbage": b"\0\1\2", "http": b"HTTP/1.0 400", "postscreen": b"220-peer.example.test",
    "flood": b"220-xxx",
}


@pytest.mark.parametrize("behaviour", GREETINGS)
def test_a_sick_peer_greets_as_told(site, behaviour):
    peer = site.peer()
    peer.set(behaviour)
    with socket.create_connection(peer.bind_to, 5) as sock:
        got = sock.recv(65536)
    assert got.startswith(GREETINGS[behaviour])
    assert bool(got) == bool(GREETINGS[behaviour])


def test_a_hanging_peer_goes_on_when_released(site):
    peer = site.peer(f"unix:{site.dir}/peer.sock")
    peer.set("hang")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(0.3)
        sock.connect(peer.bind_to)
        with pytest.raises(TimeoutError):
            sock.recv(100)
        peer.release()
        sock.settimeout(5)
        assert sock.recv(100).startswith(b"220 ")


def test_replies_are_seen_literally(site):
    postfix = site.postfix()
    postfix.start()
    with Smtp(postfix.port, MYNETWORKS) as session:
        assert session.greeting == "220 mx.example.test ESMTP Postfix"
        assert session.hello().code == 250
        replies = session.pipeline("MAIL FROM:<a@from.test>", "RCPT TO:<b@elsewhere.example>")
        assert replies[0] == "250 2.1.0 Ok"
        assert replies[1].startswith("550 5.1.2 ")
    with Smtp(postfix.port) as session:
        session.hello()
        session.mail("a@from.test")
        assert session.rcpt("b@elsewhere.example").startswith("554 5.7.1 ")
