"""Relays that want a password: rejected, over quota, no common mechanism; and Postfix meets the same.

Postfix authenticates at the same peer with the same table, so each test can see that the verdict is what smtp(8) does.
"""
import base64
import pathlib
import re
import stat
import subprocess

import pytest

from harness.milter import is_sanitized
from harness.net import REMOTE_ADDRESS
from harness.relays import PASSWORD, USER, AuthScene
from harness.wait import wait_until

REJECTED = ("auth-rejected", "4.7.8", "relayhost", "authentication rejected")


RELOAD = 3.0  # seconds until a change of a table is noticed: WATCH_POLL_MS, SETTLE_MS, postconf


@pytest.mark.seconds(8)
@pytest.mark.parametrize("mechanisms, options, used", [
    ("PLAIN LOGIN CRAM-MD5", "noanonymous", "CRAM-MD5"),
    ("PLAIN LOGIN", "noanonymous", "PLAIN"),
    ("LOGIN", "noanonymous", "LOGIN"),
    ("PLAIN LOGIN CRAM-MD5", "noplaintext, noanonymous", "CRAM-MD5"),
])
def test_credentials_that_work_are_up_and_sent_once(site, mechanisms, options, used):
    scene = AuthScene(site, options=options).passwords()
    scene.relay.set("auth", accounts={USER: PASSWORD}, mechanisms=mechanisms)
    scene.start()
    scene.wait("up")
    wait_until(lambda: scene.relay.connections >= 3, 10, "three probes")
    assert [mechanism for mechanism, _ in scene.attempts()] == [used]
    scene.must_deliver(scene.relay)
    ours, postfix = scene.attempts()
    assert ours[0] == postfix[0] and (ours == postfix or used == "CRAM-MD5"), "not what smtp(8) sends"


@pytest.mark.seconds(20)
def test_a_rejected_password_is_tried_once_and_latched_until_the_table_changes(site):
    scene = AuthScene(site).passwords("wrong password")
    scene.start()
    scene.wait("down", "auth-rejected")
    scene.must_refuse(scene.hop, *REJECTED)
    assert "535 5.7.8" in scene.milter.hop(scene.hop)["detail"]

    before = scene.relay.connections
    wait_until(lambda: scene.relay.connections >= before + 8, 15, "many intervals")
    assert len(scene.attempts()) == 1, scene.attempts()
    assert scene.milter.hop(scene.hop)["reason"] == "auth-rejected"

    # The same words again, and a reload for another reason: nothing new to try.
    scene.passwords("wrong password")
    mark = scene.milter.log.mark()
    scene.milter.hup()
    scene.milter.log.wait_for(r"reloaded: ", 5, mark)
    before = scene.relay.connections
    wait_until(lambda: scene.relay.connections >= before + 3, 15, "probes after the reload")
    assert len(scene.attempts()) == 1, scene.attempts()

    # smtp(8) meets the same.
    scene.deliver_past_us(r"status=deferred.*SASL authentication failed.*535 5\.7\.8")
    scene.postfix.command("postsuper", "-d", "ALL")

    scene.passwords()
    scene.wait("up", timeout=RELOAD + scene.recovery())
    scene.must_deliver(scene.relay)


@pytest.mark.seconds(10)
def test_a_shallower_fault_shows_at_once_and_its_end_does_not_clear_the_rejection(site):
    scene = AuthScene(site).passwords("wrong")
    scene.start()
    scene.wait("down", "auth-rejected")
    scene.relay.stop()
    scene.wait("down", "connection-refused")
    scene.relay.start()
    scene.wait("down", "auth-rejected")
    assert len(scene.attempts()) == 1


@pytest.mark.seconds(25)
@pytest.mark.parametrize("reply", ["454 4.7.0 temporary authentication failure", "451 4.3.0 over quota",
                                   "421 4.3.2 come back later"])
def test_a_relay_over_quota_is_down_for_as_long_as_it_says_so(site, reply):
    scene = AuthScene(site).passwords()
    scene.relay.set("auth", accounts={USER: PASSWORD}, reply=reply)
    scene.start()
    scene.wait("down", "service-unavailable")
    scene.must_refuse(scene.hop, "service-unavailable", "4.3.2", "relayhost", "service not available")
    assert len(scene.attempts()) <= 3
    scene.deliver_past_us(r"status=deferred.*SASL authentication failed.*" + reply[:3])
    scene.postfix.command("postsuper", "-d", "ALL")
    scene.relay.set("auth", accounts={USER: PASSWORD})
    scene.wait("up", timeout=20)
    scene.must_deliver(scene.relay)


@pytest.mark.seconds(10)
@pytest.mark.parametrize("mechanisms, options", [
    ("GSSAPI", "noanonymous"),
    ("PLAIN LOGIN", "noplaintext, noanonymous"),
    ("ANONYMOUS", "noanonymous"),
])
def test_no_common_mechanism_is_down(site, mechanisms, options):
    scene = AuthScene(site, options=options).passwords()
    scene.relay.set("auth", mechanisms=mechanisms)
    scene.start()
    scene.wait("down", "auth-unavailable")
    scene.must_refuse(scene.hop, "auth-unavailable", "4.7.0", "relayhost",
                      "no usable authentication mechanism")
    assert scene.attempts() == []
    scene.deliver_past_us(r"status=deferred.*(no mechanism available|no compatible authentication)")
    scene.postfix.command("postsuper", "-d", "ALL")
    scene.relay.set("auth", accounts={USER: PASSWORD})
    scene.wait("up")
    scene.must_deliver(scene.relay)


@pytest.mark.seconds(8)
def test_what_we_do_not_speak_is_unknown_and_not_down(site):
    scene = AuthScene(site).passwords()
    scene.relay.set("auth", mechanisms="XOAUTH2 OAUTHBEARER")
    scene.start()
    hop = scene.wait("unknown", "local-error")
    assert "XOAUTH2" in hop["detail"]
    scene.must_accept()


@pytest.mark.seconds(8)
def test_authentication_that_is_not_offered_is_degraded_as_mail_goes_without(site):
    scene = AuthScene(site).passwords()
    scene.relay.set("auth", mechanisms="")
    scene.start()
    scene.wait("degraded", "auth-unavailable")
    message = scene.must_deliver(scene.relay)
    assert any(name == "Failfast-Status" and "auth-unavailable" in value for name, value in message.header())
    assert scene.attempts() == []


@pytest.mark.seconds(8)
def test_the_old_spelling_of_auth_is_understood(site):
    scene = AuthScene(site).passwords()
    scene.relay.set("auth", accounts={USER: PASSWORD}, spelling="AUTH=", mechanisms="LOGIN")
    scene.start()
    scene.wait("up")
    scene.must_deliver(scene.relay)
    assert [mechanism for mechanism, _ in scene.attempts()] == ["LOGIN", "LOGIN"]


@pytest.mark.seconds(15)
@pytest.mark.parametrize("mechanism, trick, reason", [
    ("CRAM-MD5", "garbage", "protocol-error"), ("LOGIN", "hang", "connection-lost"),
    ("PLAIN", "drop", "connection-lost")])
def test_a_server_that_breaks_in_mid_authentication_is_down_and_not_hammered(site, mechanism, trick, reason):
    scene = AuthScene(site).passwords()
    scene.relay.set("auth", mechanisms=mechanism, trick=trick)
    scene.start()
    scene.wait("down", reason, timeout=30)  # a reply to AUTH is waited for three times as long, three times
    before = scene.relay.connections
    wait_until(lambda: scene.relay.connections >= before + 4, 15, "probes after that")
    assert len(scene.attempts()) <= 4, scene.attempts()
    assert scene.milter.hop(scene.hop)["reason"] == reason


@pytest.mark.seconds(8)
@pytest.mark.parametrize("key, finds", [(None, True), ("{host}", True), ("other.example", False)])
def test_the_table_is_asked_for_what_smtp_asks(site, key, finds):
    scene = AuthScene(site)
    host = scene.relayhost.split("]")[0].lstrip("[")
    scene.passwords(key=key and key.format(host=host))
    scene.start()
    scene.wait("up")
    scene.must_deliver(scene.relay)
    assert len(scene.attempts()) == (2 if finds else 0), scene.attempts()


@pytest.mark.seconds(8)
def test_behind_mail_exchangers_the_nexthop_is_the_key(site):
    site.dns.set("relay.example.net", mx=[(10, "mx1.example.net")])
    site.dns.set("mx1.example.net", a=[REMOTE_ADDRESS])
    scene = AuthScene(site, relayhost="relay.example.net:PORT").passwords()
    scene.start()
    scene.wait("up")
    assert len(scene.attempts()) == 1
    scene.must_deliver(scene.relay)
    assert len(scene.attempts()) == 2


@pytest.mark.seconds(10)
def test_a_table_that_only_root_may_read_is_unknown_and_says_what_helps(site):
    scene = AuthScene(site).passwords(mode=0o600)
    assert stat.S_IMODE(pathlib.Path(f"{scene.table}.db").stat().st_mode) == 0o600
    scene.start()
    hop = scene.wait("unknown", "local-error")
    assert re.search(r"smtp_sasl_password_maps: .*sasl_passwd.*Permission denied.*postfix", hop["detail"])
    assert scene.attempts() == []
    scene.must_deliver(scene.relay)  # smtp(8) opens it as root
    scene.relay.stop()
    scene.wait("down", "connection-refused")  # the server's own faults show
    scene.relay.start()
    scene.wait("unknown", "local-error")
    code, found = scene.milter.ctl("-c", str(scene.milter.conf), "check", "--json")
    assert code in (1, 2), found
    assert any("sasl_passwd" in str(finding) and "postfix" in str(finding) for finding in found["findings"])

    # It is looked at again by itself once the keeper may read it.
    scene.give_to_keeper()
    scene.wait("up", timeout=RELOAD + scene.recovery())
    assert len(scene.attempts()) == 2


def memory_of(pid):
    """All that a process can read and write of itself."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            fields = line.split()
            if "r" not in fields[1] or fields[-1] in ("[vvar]", "[vsyscall]"):
                continue
            begin, end = (int(part, 16) for part in fields[0].split("-"))
            try:
                memory.seek(begin)
                yield memory.read(end - begin)
            except OSError:
                continue


def secrets():
    """The password in every form in which it is sent or kept."""
    return [PASSWORD.encode(), base64.b64encode(PASSWORD.encode()),
            base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())[-24:]]


@pytest.mark.seconds(12)
@pytest.mark.parametrize("options", [
    {"mechanisms": "PLAIN"}, {"mechanisms": "LOGIN"}, {"mechanisms": "CRAM-MD5"},
    {"mechanisms": "PLAIN", "trick": "echo"}, {"mechanisms": "PLAIN", "trick": "drop"},
], ids=["plain", "login", "cram-md5", "echo", "drop"])
def test_the_password_is_nowhere(site, options):
    """Not in the log with -v -v, not in status or explain, not in the memory of keeper and engine.

    A sanitizer's memory cannot be searched: it has terabytes of it.
    """
    scene = AuthScene(site).passwords()
    scene.relay.set("auth", accounts={USER: PASSWORD}, **options)
    spawn = scene.milter.spawn
    scene.milter.spawn = lambda *flags: spawn("-v", *flags)
    scene.start()
    # A server that breaks off is asked three times in a row.
    wait_until(lambda: len(scene.attempts()) >= (3 if options.get("trick") == "drop" else 1), 10, "attempts")
    before = scene.relay.connections
    wait_until(lambda: scene.relay.connections >= before + 3, 15, "probes after that")
    shown = scene.milter.log.path.read_bytes()
    assert b"> AUTH " in shown and b"> EHLO" in shown
    if options["mechanisms"] != "CRAM-MD5" and "trick" not in options:
        assert b"***" in shown
    shown += str(scene.milter.ctl("status", "--json")).encode()
    shown += str(scene.milter.ctl("explain", "--json", "a@example.test", scene.recipient)).encode()
    found = [secret for secret in secrets() if secret in shown]
    assert not found, f"{found} is shown"
    for name, pid in (("keeper", scene.milter.pid()), ("engine", scene.milter.engine_pid())):
        found = [(secret, len(area)) for area in ([] if is_sanitized() else memory_of(pid))
                 for secret in secrets() if secret in area]
        assert not found, f"{found} is in the memory of the {name}"
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text(encoding="ascii")
        assert re.search(r"Max core file size +0 +0 ", limits)


@pytest.mark.seconds(5)
def test_the_search_of_memory_finds_what_is_there():
    """The test above is worth something only if this holds."""
    with subprocess.Popen(["/usr/bin/python3", "-c", f"word = {PASSWORD!r}\nprint(1, flush=True)\ninput()"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert any(PASSWORD.encode() in area for area in memory_of(process.pid))
        process.communicate(b"\n")


@pytest.mark.seconds(8)
def test_a_transport_without_authentication_is_not_asked_for_any(site):
    scene = AuthScene(site).passwords()
    scene.postfix.params["smtp_sasl_auth_enable"] = "no"
    scene.start()
    scene.wait("up")
    scene.must_deliver(scene.relay)
    assert scene.attempts() == []


@pytest.mark.seconds(8)
def test_without_the_depth_nothing_is_authenticated(site):
    scene = AuthScene(site, depth="hello").passwords("wrong")
    scene.start()
    scene.wait("up")
    assert scene.attempts() == []


@pytest.mark.seconds(8)
def test_options_of_the_service_go_before_main_cf(site):
    scene = AuthScene(site)
    other = site.dir / "other_passwd"
    other.write_text(f"{scene.relayhost} {USER}:{PASSWORD}\n", encoding="utf-8")
    scene.passwords("wrong")
    scene.postfix.add_service(
        "signed unix - - n - - smtp\n"
        f"    -o smtp_sasl_password_maps=texthash:{other}\n")
    scene.postfix.params["default_transport"] = "signed"
    scene.hop = f"signed:{scene.relayhost}"
    scene.milter.extra = 'hop "signed:*" { depth = auth }\n'
    scene.start()
    scene.wait("up")
    assert len(scene.attempts()) == 1
    scene.must_deliver(scene.relay)


@pytest.mark.seconds(12)
def test_a_recipient_is_asked_for_and_nothing_is_sent(site):
    scene = AuthScene(site, depth="hello", hop_extra='recipient = "probe@elsewhere.example"')
    scene.passwords()
    scene.start()
    scene.wait("up")
    before = scene.relay.connections
    wait_until(lambda: scene.relay.connections >= before + 3, 15, "probes after that")
    assert scene.relay.recipients_asked == [("", "probe@elsewhere.example")]
    assert scene.relay.messages == []
