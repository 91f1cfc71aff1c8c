"""failfastctl check: what Postfix's configuration refers to and cannot work, and what to change."""
import contextlib
import json
import os
import pty
import subprocess
import time

import pytest

from harness.milter import program
from harness.scene import RouteScene
from harness.transports import TransportScene, pipe, service
from harness.wait import wait_until

ELSEWHERE = "192.0.2.77"  # not on this host


class Lint:
    """What one run of `failfastctl check --json` says."""

    def __init__(self, milter):
        milter.write()
        began = time.monotonic()
        self.code, text = run(milter, "--json")
        self.seconds = time.monotonic() - began
        self.document = json.loads(text)
        self.findings = self.document["findings"]

    def of(self, check):
        """All findings of one kind."""
        return [one for one in self.findings if one["check"] == check]

    def one(self, check, **expected):
        """The only finding of a kind, with these values; strings for message and fix are parts of it."""
        found = self.of(check)
        assert len(found) == 1, self.document
        for key, value in expected.items():
            if key in ("message", "fix"):
                assert value in found[0][key], found
            else:
                assert found[0][key] == value, found
        return found[0]

    def bad(self):
        """Kinds of all findings but remarks."""
        return sorted(one["check"] for one in self.findings if one["severity"] != "info")


def run(milter, *args):
    """(exit status, standard output) of failfastctl check."""
    done = subprocess.run([program("failfastctl"), "-c", str(milter.conf), "check", *args],
                          check=False, capture_output=True, timeout=30)
    assert done.stderr == b"", done.stderr
    return done.returncode, done.stdout.decode("ascii")


def write_table(postfix, kind, name, lines):
    """A table as postmap(1) makes it; what main.cf calls it."""
    path = postfix.config / name
    path.write_text("".join(f"{key}\t{value}\n" for key, value in lines), encoding="utf-8")
    # Postfix reads a text again and again until it has not been changed for more than a second.
    os.utime(path, (time.time() - 10,) * 2)
    if kind in ("hash", "lmdb", "btree"):
        subprocess.run(["postmap", "-c", postfix.config, f"{kind}:{path}"], check=True)
    return f"{kind}:{path}"


def still(site, **params):
    """A site that does not run, with these parameters; its milter."""
    scene = RouteScene(site)
    scene.postfix.use_milter(scene.milter, non_smtpd=True)
    scene.postfix.params.update(params)
    scene.postfix.prepare()
    return scene


def test_a_clean_site_has_nothing_to_say(site):
    scene = still(site)
    scene.postfix.params["smtp_bind_address"] = "127.0.0.1"
    scene.start()
    os.chmod(scene.postfix.log.path, 0o644)
    found = Lint(scene.milter)
    assert (found.code, found.document) == (0, {"status": "ok", "findings": []})
    assert run(scene.milter) == (0, "nothing found\n")


def test_without_the_daemon_an_otherwise_clean_site_is_unknown(site):
    found = Lint(still(site).milter)
    assert (found.code, found.document["status"]) == (3, "unknown")
    assert found.bad() == ["daemon-silent"]
    found.one("daemon-silent", severity="unknown", message="is failfast-milter running?")
    found.one("postfix-stopped", severity="info", fix="postfix -c")


def test_wrong_usage_and_an_unreadable_configuration(site):
    scene = still(site)
    scene.milter.write()
    done = subprocess.run([program("failfastctl"), "-c", str(scene.milter.conf), "check", "more"],
                          check=False, capture_output=True, timeout=30)
    assert done.returncode == 3 and b"check [--json]" in done.stderr
    scene.milter.write("nonsense = 1\n")
    done = subprocess.run([program("failfastctl"), "-c", str(scene.milter.conf), "check"],
                          check=False, capture_output=True, timeout=30)
    assert done.returncode == 3 and b"nonsense" in done.stderr
    (scene.postfix.config / "main.cf").unlink()
    found = Lint(scene.milter)
    assert found.code == 3
    found.one("postfix-unreadable", severity="unknown", instance=str(scene.postfix.config))


@pytest.mark.parametrize("parameter, value, needs", [
    ("default_transport", "gone:", {}),
    ("relay_transport", "gone:[127.0.0.1]", {}),
    ("local_transport", "gone:x", {}),
    ("virtual_transport", "gone", {"virtual_mailbox_domains": "virtual.test"}),
    ("mailbox_transport", "gone:unix:private/x", {}),
    ("fallback_transport", "gone:", {}),
    ("content_filter", "gone:[127.0.0.1]:10024", {}),
])
def test_a_parameter_names_a_transport_that_master_cf_has_not(site, parameter, value, needs):
    scene = still(site, **{parameter: value}, **needs)
    found = Lint(scene.milter)
    assert (found.code, found.document["status"]) == (2, "error")
    found.one("transport-undefined", severity="error", parameter=parameter, service=None, key=None,
              file=f"{scene.postfix.config}/main.cf", message="transport gone is not in master.cf",
              fix=f"postconf -c {scene.postfix.config} -e '{parameter}=")
    code, text = run(scene.milter)
    assert code == 2 and "error    transport-undefined\n" in text, text


def test_a_transport_of_a_class_that_is_not_used_does_not_count(site):
    assert Lint(still(site, virtual_transport="gone:").milter).bad() == ["daemon-silent"]


def test_a_listener_names_a_transport_that_master_cf_has_not(site):
    scene = still(site)
    port = scene.postfix.add_listener(content_filter="gone:[127.0.0.1]:10024")
    scene.postfix.prepare()
    found = Lint(scene.milter)
    finding = found.one("transport-undefined", parameter="content_filter",
                        file=f"{scene.postfix.config}/master.cf",
                        service=f"127.0.0.1:{port}/inet")
    # What the finding tells to do is what helps.
    command = finding["fix"].partition("or: ")[2]
    subprocess.run(command, shell=True, check=True)
    assert Lint(scene.milter).bad() == ["daemon-silent"]


def test_plesk_thousands_of_senders_of_a_removed_transport_are_one_finding_that_names_the_first(site):
    scene = still(site)
    lines = [(f"@domain{number}.example", "plesk-192.0.2.10-:") for number in range(2000)]
    lines += [(f"@good{number}.example", "smtp:") for number in range(2000)]
    table = write_table(scene.postfix, "hash", "sdd", lines)
    scene.postfix.params["sender_dependent_default_transport_maps"] = ", " + table
    scene.postfix.prepare()
    found = Lint(scene.milter)
    assert found.code == 2 and found.seconds < 2, found.seconds
    finding = found.one("transport-undefined", file=table, count=2000,
                        parameter="sender_dependent_default_transport_maps",
                        message="transport plesk-192.0.2.10- is not in master.cf",
                        fix=f"then: postmap -c {scene.postfix.config} {table}")
    assert finding["key"].startswith("@domain"), finding
    _, text = run(scene.milter)
    assert f"key {finding['key']} and 1999 more" in " ".join(text.split()), text
    assert max(map(len, text.splitlines())) < 200 and len(text.splitlines()) < 40

    scene.postfix.add_service(service("plesk-192.0.2.10-"))
    scene.postfix.prepare()
    assert Lint(scene.milter).bad() == ["daemon-silent"]


def test_thousands_of_removed_transports_are_a_bounded_list(site):
    scene = still(site)
    table = write_table(scene.postfix, "texthash", "transport",
                        [(f"d{number}.example", f"gone{number}:") for number in range(2000)])
    scene.postfix.params["transport_maps"] += ", " + table
    scene.postfix.prepare()
    found = Lint(scene.milter)
    assert found.seconds < 2, found.seconds
    findings = found.of("transport-undefined")
    assert len(findings) == 21 and sum(one["count"] for one in findings) == 2000
    assert "1980 more transports" in findings[-1]["message"]


@pytest.mark.parametrize("parameter, value", [
    ("transport_maps", "gone:[192.0.2.1]"),
    ("sender_dependent_default_transport_maps", "gone"),
    ("mailbox_transport_maps", "gone:"),
    ("fallback_transport_maps", "gone:"),
])
def test_every_kind_of_table_in_every_spelling(site, parameter, value):
    scene = still(site)
    good, bad = (write_table(scene.postfix, "texthash", name, [(key, words)])
                 for name, key, words in (("good", "a@b.example", "smtp:"), ("bad", "c@d.example", value)))
    scene.postfix.params[parameter] = f"proxy:unionmap:{{ {good}, {bad} }}, inline:{{x@y.example=smtp:}}"
    scene.postfix.prepare()
    Lint(scene.milter).one("transport-undefined", parameter=parameter, file=bad, key="c@d.example", count=1)


@pytest.mark.parametrize("parameter, value, why", [
    ("relayhost", "[192.0.2.1]:submisson", "unknown port"),
    ("relayhost", "[192.0.2.1", 'missing "]"'),
    ("content_filter", "smtp-amavis:[127.0.0.1]:amavis-feed", "unknown port"),
    ("smtpd_proxy_filter", "127.0.0.1:no-such-port", "unknown port"),
    ("smtp_fallback_relay", "[192.0.2.1]:25, [192.0.2.2]:99999", "port number out of range"),
])
def test_a_parameter_with_a_nexthop_that_cannot_be_used(site, parameter, value, why):
    scene = still(site, default_transport="smtp")
    scene.postfix.params[parameter] = value
    scene.postfix.prepare()
    found = Lint(scene.milter)
    assert found.code == 2
    found.one("nexthop-invalid", severity="error", parameter=parameter, message=why)


def test_a_table_with_a_nexthop_that_cannot_be_used(site):
    scene = still(site, default_transport="smtp")
    params = scene.postfix.params
    params["transport_maps"] += ", " + write_table(scene.postfix, "hash", "transport", [
        ("a.example", "smtp:[192.0.2.1]:2s"), ("b.example", "smtp:[192.0.2.1]:25"),
        ("c.example", "lmtp:unix:private/x"), ("d.example", ":[192.0.2.3]:0")])
    params["sender_dependent_relayhost_maps"] = "inline:{{@e.example=[192.0.2.1]:no-such-port}}"
    scene.postfix.prepare()
    found = Lint(scene.milter)
    assert sorted((one["key"], one["parameter"]) for one in found.of("nexthop-invalid")) == [
        ("@e.example", "sender_dependent_relayhost_maps"), ("a.example", "transport_maps"),
        ("d.example", "transport_maps")], found.document


@pytest.mark.parametrize("value, enforce, severity, words", [
    ("no-address", "no", "error", "not an address"),
    (ELSEWHERE, "yes", "error", "not on this host"),
    (ELSEWHERE, "no", "warning", "mail leaves from another address"),
])
def test_a_bind_address_that_is_none_of_ours(site, value, enforce, severity, words):
    options = {"smtp_bind_address": value, "smtp_bind_address_enforce": enforce}
    scene = still(site, **options)
    found = Lint(scene.milter)
    assert found.code == {"error": 2, "warning": 1}[severity]
    found.one("bind-address", severity=severity, parameter="smtp_bind_address", service=None, message=words)

    for name in options:
        del scene.postfix.params[name]
    scene.postfix.add_service(service("svc", "smtp", *(f"{name} = {text}" for name, text in options.items())))
    scene.postfix.prepare()
    Lint(scene.milter).one("bind-address", severity="info", service="svc/unix", message="nothing names")
    scene.postfix.route("svc.test", "svc:")
    scene.postfix.prepare()
    finding = Lint(scene.milter).one("bind-address", severity=severity, service="svc/unix")
    subprocess.run(finding["fix"].rpartition(": ")[2], shell=True, check=True)
    assert Lint(scene.milter).bad() == ["daemon-silent"]


@pytest.mark.parametrize("text, words", [
    (pipe("svc", "/bin/cat", "no-such-user"), "user=no-such-user: unknown user"),
    (pipe("svc", "/no/such/program -x"), "argv=/no/such/program"),
    (pipe("svc", "/etc/passwd"), "may not be executed"),
])
def test_a_command_that_cannot_run(site, text, words):
    scene = still(site)
    scene.postfix.add_service(text)
    scene.postfix.prepare()
    found = Lint(scene.milter)
    assert found.bad() == ["daemon-silent"], "nothing names it"
    found.one("command-missing", severity="info", message="svc")
    scene.postfix.route("svc.test", "svc:")
    scene.postfix.prepare()
    found = Lint(scene.milter)
    assert found.code == 2
    found.one("command-missing", severity="error", service="svc/unix", message=words, fix="reload")


def test_a_program_that_is_not_installed(site):
    scene = still(site)
    scene.postfix.add_service("svc unix - - n - - no-such-agent\n127.0.0.1:1 inet n - n - - no-such-server\n"
                              "policy unix - n n - - spawn user=nobody argv=/no/such/policy\n")
    scene.postfix.route("svc.test", "svc:")
    scene.postfix.params["smtpd_recipient_restrictions"] = "check_policy_service unix:private/policy"
    scene.postfix.prepare()
    found = Lint(scene.milter)
    assert {one["service"] for one in found.of("program-missing")} == {"svc/unix", "127.0.0.1:1/inet"}
    assert {one["severity"] for one in found.of("program-missing")} == {"error"}
    found.one("command-missing", severity="error", service="policy/unix")


def test_tables_that_cannot_be_opened_are_named_with_their_parameter(site):
    scene = still(site)
    config, params = scene.postfix.config, scene.postfix.params
    (config / "unbuilt").write_text("a b\n", encoding="utf-8")
    params.update(
        sender_dependent_relayhost_maps=f"hash:{config}/missing",
        virtual_alias_maps=f"hash:{config}/unbuilt",
        canonical_maps=f"nosuchtype:{config}/x, {config}/untyped",
        header_checks=f"pcre:{config}/missing-checks",
        smtpd_sender_restrictions=f"check_sender_access hash:{config}/missing-access")
    outdated = write_table(scene.postfix, "hash", "outdated", [("a.example", "smtp:")])
    os.utime(config / "outdated", (time.time() + 60,) * 2)
    params["transport_maps"] += f", {outdated}, pcre:{config}/regular"
    (config / "regular").write_text("/x/ smtp:\n", encoding="utf-8")
    scene.postfix.prepare()
    found = Lint(scene.milter)
    assert found.code == 2
    assert {(one["file"], one["parameter"]) for one in found.of("table-missing")} == {
        (f"hash:{config}/missing", "sender_dependent_relayhost_maps"),
        (f"pcre:{config}/missing-checks", "header_checks"),
        (f"hash:{config}/missing-access", "smtpd_sender_restrictions")}, found.document
    assert {(one["file"], one["parameter"]) for one in found.of("table-type-unknown")} == {
        (f"nosuchtype:{config}/x", "canonical_maps"), (f"{config}/untyped", "canonical_maps")}
    found.one("table-not-built", severity="error", parameter="virtual_alias_maps",
              fix=f"postmap -c {config} hash:{config}/unbuilt")
    found.one("table-unlisted", severity="info", file=f"pcre:{config}/regular", parameter="transport_maps")
    finding = found.one("table-outdated", severity="warning", file=outdated)

    os.utime(config / "outdated", (time.time() - 10,) * 2)
    # A host whose own Postfix is not configured has nothing else for postmap(1) to read.
    subprocess.run(finding["fix"].split(), check=True, env={**os.environ, "MAIL_CONFIG": str(config)})
    assert Lint(scene.milter).of("table-outdated") == []


def test_tables_that_only_root_may_read_matter_behind_proxymap_alone(site):
    scene = still(site)
    table = write_table(scene.postfix, "texthash", "secret", [("a.example", "smtp:")])
    (scene.postfix.config / "secret").chmod(0o600)
    scene.postfix.params["transport_maps"] += ", " + table
    scene.postfix.prepare()
    assert Lint(scene.milter).bad() == ["daemon-silent"]
    scene.postfix.params["transport_maps"] += ", proxy:" + table
    scene.postfix.prepare()
    found = Lint(scene.milter)
    found.one("table-unreadable", severity="error", file=table, message="postfix may not read")


def test_a_missing_table_changes_no_verdict(site):
    """Postfix itself defers or refuses what it cannot look up; we say which table it is."""
    scene = still(site)
    scene.start()
    scene.must_accept("a@good.test")
    scene.postfix.params["sender_dependent_relayhost_maps"] = f"hash:{scene.postfix.config}/missing"
    scene.postfix.reload()
    scene.milter.log.wait_for("postmap .*missing", 10)
    sent = scene.send("a@good.test")
    assert not sent.refusal.startswith("451 4.3.5 transport"), sent
    found = Lint(scene.milter)
    assert found.bad() == ["table-missing"]
    found.one("table-missing", parameter="sender_dependent_relayhost_maps",
              file=f"hash:{scene.postfix.config}/missing")


def test_master_cf_that_was_edited_and_not_reloaded(site):
    scene = TransportScene(site)
    scene.postfix.use_milter(scene.milter, non_smtpd=True)
    scene.start()
    scene.milter.wait_state(scene.hop, "up")
    os.chmod(scene.postfix.log.path, 0o644)
    assert Lint(scene.milter).bad() == []
    scene.change(service("svc", "smtp", "smtp_helo_name = other.example.test"))
    found = Lint(scene.milter)
    assert found.code == 1 and found.bad() == ["reload-needed", "reload-needed"], found.document
    assert {one["file"] for one in found.findings} == {
        f"{scene.postfix.config}/{name}" for name in ("main.cf", "master.cf")}
    # The old service still answers.
    scene.milter.wait_state(scene.hop, "up")
    scene.must_deliver(scene.sink)
    subprocess.run(found.findings[0]["fix"], shell=True, check=True, capture_output=True)
    wait_until(lambda: Lint(scene.milter).bad() == [], 5, "reloaded")
    assert Lint(scene.milter).code == 0


def test_a_copy_of_master_cf_with_an_old_date_is_a_change(site):
    scene = still(site)
    scene.start()
    wait_until(lambda: any("qmgr" in command for command in site.world.processes().values()), 5,
               "Postfix has read its configuration")
    master = scene.postfix.config / "master.cf"
    copy = scene.postfix.config / "copy"
    subprocess.run(["cp", "-p", master, copy], check=True)
    copy.rename(master)
    found = Lint(scene.milter)
    found.one("reload-needed", file=str(master), severity="warning")


def test_a_milter_that_postfix_does_not_ask(site):
    scene = RouteScene(site)
    postfix = scene.postfix
    del postfix.params["smtpd_milters"]
    postfix.prepare()
    found = Lint(scene.milter)
    finding = next(one for one in found.of("milter-not-asked") if one["severity"] == "warning")
    assert finding["parameter"] == "smtpd_milters" and finding["service"] is None, finding
    assert any(one["parameter"] == "non_smtpd_milters" and one["severity"] == "info"
               for one in found.findings)
    for one in found.of("milter-not-asked"):
        subprocess.run(one["fix"], shell=True, check=True)
    assert Lint(scene.milter).of("milter-not-asked") == []


def test_a_listener_that_does_not_ask_although_others_do(site):
    scene = still(site)
    meant = scene.postfix.add_listener(smtpd_milters="")
    other = scene.postfix.add_listener(smtpd_milters="inet:127.0.0.1:1")
    scene.postfix.prepare()
    found = Lint(scene.milter)
    finding = found.one("milter-not-asked", severity="warning", service=f"127.0.0.1:{other}/inet")
    assert f":{meant}/" not in str(found.document)
    option = finding["fix"].partition(f"below 127.0.0.1:{other}/inet: ")[2]
    master = scene.postfix.config / "master.cf"
    text = master.read_text(encoding="utf-8")
    master.write_text(text.replace("-o { smtpd_milters = inet:127.0.0.1:1 }", option), encoding="utf-8")
    assert Lint(scene.milter).of("milter-not-asked") == []


def test_milters_over_tcp_are_known_too(site):
    port = site.world.free_port()
    scene = RouteScene(site, listen=f"inet:{port}@127.0.0.1")
    scene.postfix.use_milter(scene.milter, non_smtpd=True)
    scene.postfix.prepare()
    assert Lint(scene.milter).bad() == ["daemon-silent"]
    scene.postfix.params["smtpd_milters"] = f"{{ inet:127.0.0.1:{port + 1}, default_action=accept }}"
    scene.postfix.prepare()
    assert "milter-not-asked" in Lint(scene.milter).bad()


def test_a_path_that_a_chrooted_smtpd_cannot_get_at(site):
    scene = RouteScene(site, chroot=True)
    scene.postfix.use_milter(scene.milter, non_smtpd=True)
    scene.postfix.prepare()
    assert Lint(scene.milter).bad() == ["daemon-silent"]
    scene.postfix.params["smtpd_milters"] = \
        f"{{ unix:{scene.milter.socket_path()}, default_action=accept }}"
    scene.postfix.prepare()
    found = Lint(scene.milter)
    assert found.code == 2
    findings = found.of("milter-unreachable")
    assert findings and {one["severity"] for one in findings} == {"error"}
    assert all("unix:failfast-milter/milter.sock" in one["fix"] for one in findings), findings


@pytest.mark.parametrize("action, severity", [
    ("tempfail", "warning"), ("quarantine", "warning"), ("shutdown", "warning"), ("reject", "error"),
    ("nonsense", "warning"),
])
def test_a_default_action_that_makes_us_the_outage(site, action, severity):
    scene = still(site)
    address = scene.milter.postfix_address(scene.postfix)
    scene.postfix.params.update(smtpd_milters=f"{{ {address}, default_action={action} }}",
                                milter_default_action="accept")
    scene.postfix.prepare()
    found = Lint(scene.milter)
    findings = found.of("milter-default-action")
    assert {(one["parameter"], one["severity"]) for one in findings} == {
        ("smtpd_milters", severity), ("non_smtpd_milters", severity)}, findings
    scene.postfix.params.update(smtpd_milters=address, milter_default_action=action)
    scene.postfix.prepare()
    Lint(scene.milter).one("milter-default-action", severity=severity, parameter="milter_default_action",
                           fix="default_action=accept")


def test_a_timeout_that_no_client_waits_for(site):
    scene = still(site, milter_command_timeout="1h")
    scene.postfix.params["smtpd_milters"] = \
        f"{{ {scene.milter.postfix_address(scene.postfix)}, default_action=accept, connect_timeout=10m }}"
    scene.postfix.prepare()
    found = Lint(scene.milter)
    assert {one["parameter"] for one in found.of("milter-timeout")} == {
        "milter_command_timeout", "smtpd_milters", "non_smtpd_milters"}, found.document


def test_our_own_configuration_names_transports_too(site):
    scene = still(site)
    scene.milter.options["content_filter"] = "gone-filter:[127.0.0.1]:1"
    scene.milter.extra = 'hop "gone-hop:[127.0.0.1]:1" { }\nhop "smtp:[127.0.0.1]:1" { }\n'
    found = Lint(scene.milter)
    assert found.code == 2
    assert {(one["file"], one["parameter"]) for one in found.of("transport-undefined")} == {
        (str(scene.milter.conf), "content_filter"),
        (str(scene.milter.conf), 'hop "gone-hop:[127.0.0.1]:1"')}, found.document


def test_every_instance_is_looked_at(site):
    scene = still(site)
    second = site.postfix()
    second.use_milter(scene.milter, non_smtpd=True)
    second.params["content_filter"] = "gone:[127.0.0.1]:1"
    second.prepare()
    scene.milter.postfix.append(second)
    Lint(scene.milter).one("transport-undefined", instance=str(second.config),
                           file=f"{second.config}/main.cf")


def test_without_a_postfix_section_there_is_nothing_to_look_at(site):
    milter = site.milter()
    found = Lint(milter)
    found.one("postfix-unnamed", severity="info", file=str(milter.conf))
    assert found.code == 3 and found.bad() == ["daemon-silent"]


@pytest.mark.parametrize("no_colour", [False, True])
def test_output_to_a_terminal_has_colour_and_fits(site, no_colour):
    scene = still(site, content_filter="gone:[127.0.0.1]:1")
    scene.milter.write()
    ours, theirs = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    with subprocess.Popen([program("failfastctl"), "-c", str(scene.milter.conf), "check"], stdout=theirs,
                          env={**environment, **({"NO_COLOR": "1"} if no_colour else {})}) as process:
        os.close(theirs)
        text = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while piece := os.read(ours, 4096):
                text += piece
        os.close(ours)
    assert process.returncode == 2
    lines = text.decode("ascii").replace("\r", "").splitlines()
    assert lines[0] == ("error    transport-undefined" if no_colour
                        else "\033[31merror    \033[0mtransport-undefined"), lines
    assert all(len(line) <= 80 or " " not in line.strip() for line in lines), lines


def test_hostile_tables_do_not_break_the_output(site):
    scene = still(site)
    path = scene.postfix.config / "hostile"
    path.write_bytes(b"a\x1b[31m\x07\xff\xfe gone\x1b[0m:\n"
                     b"b\x1b]0;title\x07\xc3\xa9 evil:[127.0.0.1]\n"
                     b"k" + b"x" * (1 << 20) + b" long-key:\n"
                     b"c " + b"t" * (1 << 20) + b":\n"
                     b"d smtp:" + b"[" * (1 << 20) + b"\n")
    scene.postfix.params["transport_maps"] += f", texthash:{path}"
    scene.postfix.prepare()
    found = Lint(scene.milter)
    keys = [one["key"] for one in found.of("transport-undefined")]
    assert "b\\x1B]0;title\\x07\\xC3\\xA9" in keys, found.document
    assert len(found.of("nexthop-invalid")) == 1
    _, text = run(scene.milter)
    assert all(character == "\n" or " " <= character <= "~" for character in text)
    assert len(text) < 10000, len(text)
