"""HTTP: what is served, to whom, and that nobody can stop it or read what is not for him."""
import json
import os
import signal
import socket
import subprocess
import time

import pytest

from harness.scene import MAX_AGE, FilterScene
from harness.wait import wait_until
from harness.web import Greeter, Web, labelled
from test_memory import load_program

PATHS = {"/": "text/html; charset=utf-8", "/metrics": "text/plain; version=0.0.4; charset=utf-8",
         "/status.json": "application/json", "/healthz": "text/plain; charset=utf-8",
         "/page.css": "text/css; charset=utf-8", "/page.js": "text/javascript; charset=utf-8",
         "/icon.svg": "image/svg+xml"}
MARKUP = "<script>alert(1)</script>"


@pytest.fixture
def lone(site):
    """A milter without Postfix; its HTTP server."""
    milter = site.milter()
    milter.extra = 'hop "smtp:[127.0.0.1]:1" { }\n'
    return Web(milter, site.world.free_port())


def start(web):
    """Start, and return when it is healthy."""
    web.milter.start()
    wait_until(web.is_healthy, 10, "healthy")
    return web


def descriptors(milter):
    """How many the engine has open."""
    return len(os.listdir(f"/proc/{milter.engine_pid()}/fd"))


def test_every_path_answers_with_its_type_and_with_headers_that_protect(lone):
    start(lone)
    for path, kind in PATHS.items():
        answer = lone.get(path)
        assert answer.status == 200, (path, answer)
        assert answer.headers["content-type"] == kind
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy
        head = lone.get(path, "HEAD")
        assert (head.status, head.body) == (200, "")
        assert head.headers["content-type"] == kind
    assert lone.get("/nothing").status == 404
    assert lone.get("/page.css/").status == 404


def test_status_json_is_what_failfastctl_prints(lone):
    start(lone)
    lone.milter.wait_state("smtp:[127.0.0.1]:1", "down")
    served, printed = json.loads(lone.get("/status.json").body), lone.milter.status()
    for document in (served, printed):
        del document["time"]
    assert served["hops"][0]["hop"] == printed["hops"][0]["hop"]
    assert served.keys() == printed.keys() and served["counts"] == printed["counts"]
    assert served["hops"][0].keys() == printed["hops"][0].keys()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_nothing_but_get_and_head_is_taken(lone, method):
    start(lone)
    answer = lone.get("/", method)
    assert answer.status == 405, answer
    assert answer.headers["allow"] == "GET, HEAD"


def test_a_request_must_name_this_host(site):
    scene = FilterScene(site)
    web = Web(scene.milter, site.world.free_port())
    scene.start()
    names = ["127.0.0.1", "localhost", "LOCALHOST.", "[::1]", "192.0.2.7", socket.gethostname(),
             scene.postfix.params.get("myhostname", "localhost")]
    for host in names + [f"{name}:{web.port}" for name in names]:
        assert web.get("/status.json", headers={"Host": host}).status == 200, host
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::1].evil.example",
                 "localhost.evil.example", "127.0.0.1@evil.example", "", "."):
        for path in PATHS:
            answer = web.get(path, headers={"Host": host})
            assert answer.status in (421, 400), (host, answer)
            assert "hops" not in answer.body
    # One in the request line goes before the header.
    assert b" 421 " in web.raw(b"GET http://evil.example/status.json HTTP/1.1\r\n"
                               b"Host: localhost\r\nConnection: close\r\n\r\n")


def test_garbage_is_answered_or_hung_up_on_and_hurts_nobody(lone):
    start(lone)
    engine = lone.milter.engine_pid()
    before = descriptors(lone.milter)
    endless = b"GET /" + b"a" * 200000 + b" HTTP/1.1\r\n"
    many = b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n"
    for data in (b"\r\n\r\n", b"\0" * 1000, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", endless, many,
                 b"POST / HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\n" + b"x" * 100000,
                 b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                 b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
                 b"GET /%00%ff?q=%00%ff%3c&state=%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 b"GET /?" + b"q=a&" * 1500 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xaa" * 200,
                 b"EHLO me\r\nMAIL FROM:<>\r\n"):
        got = lone.raw(data, 0.3)
        assert b"200 OK" not in got or data.startswith(b"GET /?"), (data[:60], got[:200])
        assert lone.get("/healthz").status == 200
    # What says goodbye before it had its answer.
    for _ in range(20):
        with socket.create_connection((lone.host, lone.port)) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
    assert lone.get("/healthz").status == 200
    wait_until(lambda: descriptors(lone.milter) <= before + 2, 15, f"descriptors back at {before}")
    assert lone.milter.engine_pid() == engine


def test_those_who_only_sit_there_keep_nobody_out(lone):
    start(lone)
    before = descriptors(lone.milter)
    idle = [socket.create_connection((lone.host, lone.port), 5) for _ in range(100)]
    for number, sock in enumerate(idle):
        if number % 2:
            sock.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
    try:
        for _ in range(5):
            began = time.monotonic()
            assert lone.get("/healthz").status == 200
            assert time.monotonic() - began < 1
        assert descriptors(lone.milter) <= before + 64 + 2
    finally:
        for sock in idle:
            sock.close()
    wait_until(lambda: descriptors(lone.milter) <= before + 2, 15, f"descriptors back at {before}")


def test_health_is_lost_with_the_milter_and_with_the_prober(site):
    scene = FilterScene(site)
    web = Web(scene.milter, site.world.free_port())
    scene.start()
    scene.wait_up()
    wait_until(web.is_healthy, 10, "healthy")
    engine = scene.milter.engine_pid()
    os.kill(engine, signal.SIGSTOP)
    with pytest.raises(OSError):
        web.get("/healthz", timeout=1)
    os.kill(engine, signal.SIGCONT)
    wait_until(web.is_healthy, 10, "healthy again")
    # Somebody tidied up: Postfix cannot reach us any more.
    scene.milter.socket_path().unlink()

    def unwell():
        got = web.health()
        return got if got is not None and got.status == 503 else None

    answer = wait_until(unwell, 20, "503")
    assert "milter: does not answer" in answer.body and "prober: ok" in answer.body
    scene.milter.socket_path().write_text("")


def test_numbers_are_right_after_known_mail_and_please_promtool(site):
    scene = FilterScene(site)
    web = Web(scene.milter, site.world.free_port())
    scene.start()
    scene.wait_up()
    for _ in range(2):
        scene.must_deliver(scene.filter)
    scene.filter.stop()
    time.sleep(MAX_AGE)
    for _ in range(3):
        assert scene.send().refusal.startswith("451 4.4.1 ")
    text = web.get("/metrics").body
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, check=False,
                             capture_output=True, timeout=20)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    metrics = web.metrics()
    recipients = metrics["failfast_recipients_total"]
    assert recipients[labelled(action="accept", reason="none")] == 2, recipients
    assert recipients[labelled(action="tempfail", reason="connection-refused")] == 3, recipients
    assert metrics["failfast_verdict_seconds_count"][labelled()] == 5
    assert metrics["failfast_verdict_seconds_bucket"][labelled(le="+Inf")] == 5
    states = {state: metrics["failfast_hop_state"][labelled(hop=scene.hop, state=state)]
              for state in ("up", "degraded", "down", "unknown", "forced-up", "forced-down")}
    assert states == {"up": 0, "degraded": 0, "down": 1, "unknown": 0, "forced-up": 0,
                      "forced-down": 0}
    assert metrics["failfast_check_up"][labelled(hop=scene.hop, check="server")] == 0
    assert metrics["failfast_check_up"][labelled(hop=scene.hop, check="service")] == 1
    changes = metrics["failfast_state_changes_total"]
    assert changes[labelled(hop=scene.hop, to="down")] == 1, changes
    assert metrics["failfast_probes_total"][labelled(hop=scene.hop, result="ok")] >= 1
    assert metrics["failfast_probes_total"][labelled(hop=scene.hop, result="connection-refused")] >= 1
    hop = scene.milter.hop(scene.hop)
    assert hop["last_hour"] == {"tempfail": 3, "tag": 0, "hold": 0}
    assert abs(metrics["failfast_hop_last_change_timestamp_seconds"][labelled(hop=scene.hop)]
               - time.time()) < 20
    assert metrics["failfast_hops"][labelled()] == len(scene.milter.hops())


def test_markup_in_names_and_banners_is_text(site):
    banner = Greeter(site.world.free_port(), f"554 {MARKUP} \"'&\u202e go away").start()
    site.at_end(banner.stop)
    milter = site.milter()
    names = [f"smtp:[127.0.0.1]:{banner.port}", f"relay:{MARKUP}", "lmtp:unix:/a&amp;b"]
    milter.extra = "".join(f'hop "{name}" {{ }}\n' for name in names)
    web = start(Web(milter, site.world.free_port()))
    milter.wait_state(names[0], "down", "service-rejected")
    milter.wait_state(names[1], "down")
    page = web.get("/").body
    assert MARKUP not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 2
    assert "lmtp:unix:/a&amp;amp;b" in page
    page = web.get("/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&state=down").body
    assert MARKUP not in page and 'value="&quot;&gt;&lt;script&gt;' in page
    assert set(names) == {dict(labels)["hop"] for labels in web.metrics()["failfast_hop_state"]}


def test_learned_hops_beyond_a_limit_and_names_with_an_at_sign_are_summed_up(site):
    milter = site.milter(probe={"interval": "60s", "max_wait": "0s"})
    web = start(Web(milter, site.world.free_port()))
    hops = [f"smtp=[127.0.0.1]:{port}" for port in range(30000, 31050)] + ["smtp=me@there.example"]

    def are_all_learned():
        """What comes too fast to be learned is learned from the next mail."""
        done = subprocess.run([load_program(site), "-c", "1", "-n", "1100", "-m", "1100", "-r",
                               ",".join(hops), milter.listen], check=False, capture_output=True, text=True,
                              timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return web.metrics()["failfast_hops"][labelled()] == len(hops)
    wait_until(are_all_learned, 30, "all are learned", 0.5)
    began = time.monotonic()
    text = web.get("/metrics").body
    print(f"{len(text)} bytes in {time.monotonic() - began:.3f} s")
    assert "@" not in text
    metrics = web.metrics()
    names = {dict(labels)["hop"] for labels in metrics["failfast_hop_state"]}
    assert len(names) == 1001 and "(other)" in names
    assert sum(value for labels, value in metrics["failfast_hop_state"].items()
               if dict(labels)["hop"] == "(other)") == len(hops) - 1000


@pytest.mark.parametrize("host", ["::1", "127.0.0.1"])
def test_an_address_that_the_operator_chose_must_be_had(site, host):
    port = site.world.free_port()
    first = start(Web(site.milter(), port, host))
    second = Web(site.milter(), port, host)
    second.milter.write()
    assert second.milter.spawn().wait(10) == 69
    assert f"{port}\": Address already in use" in second.milter.log.text()
    assert not second.milter.control.exists() and not second.milter.socket_path().exists()
    assert first.get("/healthz").status == 200


def test_without_the_default_address_mail_is_looked_at_all_the_same(site):
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 9895))
        holder.listen()
        scene = FilterScene(site)
        scene.milter.options["http"] = "127.0.0.1:9895"
        scene.start()
        assert "going on without HTTP" in scene.milter.log.text()
        scene.wait_up()
        scene.must_deliver(scene.filter)


def test_an_engine_that_is_started_again_serves_on_the_same_port(site):
    web = start(Web(site.milter(), site.world.free_port()))
    engine = web.milter.engine_pid()
    os.kill(engine, signal.SIGKILL)
    wait_until(lambda: web.milter.children(web.milter.pid()) not in ([], [engine]), 5, "a new engine")
    wait_until(web.is_healthy, 5, "healthy again")
