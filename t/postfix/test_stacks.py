"""The set-ups that operators run: what each names is known at once, and what it is known to break on is seen.

Their configurations are in stacks/, on the ports that the products use.
"""
import time

import pytest

from harness.milter import BRISK
from harness.products import (DOVECOT, RELAY, STACKS, DockerMailserver, IRedMail, Mailcow, MailInABox,
                              Modoboa, Plesk, Virtualmin, Zimbra)
from harness.scene import DETECTION, LOCAL_RECOVERY, MAX_AGE, brief
from harness.smtp import message, new_ident
from harness.wait import wait_until

SUBMISSION = 587
NO_HOST = "host not found"


@pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.product)
def test_every_hop_that_a_set_up_names_is_known_and_up_before_the_first_message(site, stack):
    scene = stack(site).start_all_up()
    assert scene.known() == scene.hops
    assert not any(hop["learned"] for hop in scene.milter.hops().values())
    # postlogd(8) makes a log that nobody else may read.
    assert scene.milter.log.find(r"^(?!.*evidence).*(warning|error)") == []


@pytest.mark.parametrize("stack", [one for one in STACKS if one.reentries],
                         ids=lambda stack: stack.product)
def test_what_a_filter_hands_back_to_a_set_up_is_accepted(site, stack):
    stack(site).start_all_up().must_reenter()


@pytest.mark.seconds(6)
def test_plesk_an_address_whose_service_is_gone_takes_only_its_own_domains_mail(site):
    scene = Plesk(site)
    service = scene.postfix.service_lines("plesk-198.51.100.11-")
    scene.start_all_up()
    from_one, from_eleven = "b@one.test", "b@eleven.test"
    there = "c@elsewhere.test"
    scene.must_deliver(scene.mx, there, "authenticated", sender=from_eleven)

    scene.postfix.change_master(service, "")
    time.sleep(MAX_AGE)
    scene.must_refuse_users("plesk-198.51.100.11-:", "transport-refused", "4.3.0",
                            "mail transport refuses connections", from_eleven, there)
    (scene.postfix.queue_directory / "private" / "plesk-198.51.100.11-").unlink()
    time.sleep(MAX_AGE)
    scene.must_refuse_users("plesk-198.51.100.11-:", "transport-undefined", "4.3.5",
                            "mail transport is not defined in master.cf", from_eleven, there)
    scene.must_deliver(scene.mx, there, "authenticated", sender=from_one)
    scene.delivered_by("plesk_virtual", scene.must_accept(sender=from_eleven))

    scene.postfix.change_master("plesk-198.51.100.1- unix", service + "plesk-198.51.100.1- unix")
    time.sleep(MAX_AGE)
    scene.must_deliver(scene.mx, there, "authenticated", sender=from_eleven)
    scene.postfix.wait_empty()


@pytest.mark.seconds(6)
def test_plesk_an_address_that_left_the_host_is_told_in_the_header_for_postfix_sends_all_the_same(site):
    scene = Plesk(site, BRISK).start_all_up()
    site.world.remove_address("198.51.100.11")
    scene.milter.wait_state("plesk-198.51.100.11-:", "degraded", "bind-address")
    for sender, expected in (("b@eleven.test", 1), ("b@one.test", 0)):
        found = scene.must_deliver(scene.mx, "c@elsewhere.test", "authenticated", sender=sender)
        tags = [value for name, value in found.header() if name == "Failfast-Status"]
        assert len(tags) == expected, found.header()
        assert all("reason=bind-address" in tag for tag in tags), tags


@pytest.mark.seconds(6)
def test_plesk_with_a_smarthost_each_address_has_a_hop_to_it(site):
    scene = Plesk(site, BRISK)
    smarthost = "[smart.plesk.test]:25"
    scene.postfix.main_cf += f"relayhost = {smarthost}\n"
    relay = scene.far_server("smart.plesk.test", RELAY, 25)
    outgoing = ("smtp:", "plesk-198.51.100.1-:", "plesk-198.51.100.11-:")
    scene.hops = {hop: role for hop, role in scene.hops.items() if hop not in outgoing}
    scene.hops.update({hop + smarthost: "relayhost" for hop in outgoing})
    scene.start_all_up()
    for sender in ("b@one.test", "b@eleven.test", "b@from.test"):
        scene.must_deliver(relay, "c@elsewhere.test", "authenticated", sender=sender)
    assert scene.known() == scene.hops

    relay.stop()
    hop = "plesk-198.51.100.11-:" + smarthost
    scene.milter.wait_state(hop, "down", "connection-refused", DETECTION)
    scene.must_refuse_users(hop, "connection-refused", "4.4.1", "connection refused",
                            "b@eleven.test", "c@elsewhere.test")
    scene.delivered_by("plesk_virtual", scene.must_accept(sender="b@eleven.test"))


def test_plesk_a_map_that_names_a_service_that_never_was_is_seen_at_the_start(site):
    scene = Plesk(site)
    with open(scene.postfix.config / "sdd_transport_maps", "a", encoding="utf-8") as table:
        table.write("@gone.test\tplesk-192.0.2.9-:\n")
    scene.start()
    scene.milter.wait_state("plesk-192.0.2.9-:", "down", "transport-undefined")
    scene.must_refuse_users("plesk-192.0.2.9-:", "transport-undefined", "4.3.5",
                            "mail transport is not defined in master.cf", "b@gone.test",
                            "c@elsewhere.test")


@pytest.mark.seconds(5)
def test_iredmail_the_filter_of_submission_takes_only_the_mail_of_users(site):
    scene = IRedMail(site).start_all_up()
    scene.must_deliver(scene.incoming)
    scene.originating.stop()
    time.sleep(MAX_AGE)
    scene.must_refuse_users("smtp-amavis:[127.0.0.1]:10026", "connection-refused", "4.4.1",
                            "connection refused", "b@box.test", "a@box.test", port=SUBMISSION)
    scene.must_deliver(scene.incoming)
    for sent in scene.must_reenter():
        scene.delivered_by("dovecot", sent)
    for sent in scene.must_reenter("list@box.test"):
        scene.delivered_by("mlmmj", sent)

    scene.originating.start()
    time.sleep(MAX_AGE)
    sent = scene.must_accept_at(SUBMISSION, "a@box.test")
    wait_until(lambda: scene.originating.find(sent.ident), 10, "the message at the filter")
    scene.postfix.wait_empty()


@pytest.mark.seconds(5)
def test_zimbra_the_second_filter_of_a_chain_is_seen_at_the_first_listener(site):
    scene = Zimbra(site).start_all_up()
    sent = scene.must_accept_at(SUBMISSION, "a@box.test")
    wait_until(lambda: scene.second.find(sent.ident), 10, "the message at the second filter")

    scene.second.stop()
    time.sleep(MAX_AGE)
    scene.must_refuse_users("smtp-amavis:[127.0.0.1]:10032", "connection-refused", "4.4.1",
                            "connection refused", "b@box.test", "a@box.test", port=SUBMISSION)
    assert scene.postfix.queue() == []
    scene.must_deliver(scene.incoming)
    for sent in scene.must_reenter():
        wait_until(lambda sent=sent: scene.mailbox.find(sent.ident), 10, "delivery")

    scene.second.start()
    time.sleep(MAX_AGE)
    sent = scene.must_accept_at(SUBMISSION, "a@box.test")
    wait_until(lambda: scene.second.find(sent.ident), 10, "the message at the second filter")
    scene.postfix.wait_empty()


@pytest.mark.seconds(5)
@pytest.mark.parametrize("port", [25, SUBMISSION])
def test_modoboa_each_before_queue_filter_takes_its_own_listener(site, port):
    scene = Modoboa(site).start_all_up()
    filters = {25: (10024, scene.incoming), SUBMISSION: (10026, scene.originating)}
    number, broken = filters.pop(port)
    (other_port, (_, other)), = filters.items()
    broken.stop()
    time.sleep(MAX_AGE)
    scene.must_refuse_users(f"smtpd_proxy_filter:inet:[127.0.0.1]:{number}", "connection-refused",
                            "4.4.1", "connection refused", "b@box.test", "a@box.test", port=port)
    assert other.find(scene.must_accept_at(other_port, "a@box.test").ident)
    for sent in scene.must_reenter():
        wait_until(lambda sent=sent: scene.dovecot.find(sent.ident), 10, "delivery")
    broken.start()
    time.sleep(MAX_AGE)
    assert broken.find(scene.must_accept_at(port, "a@box.test").ident)


@pytest.mark.seconds(5)
def test_modoboa_without_dovecots_socket_only_mailboxes_are_refused(site):
    scene = Modoboa(site).start_all_up()
    scene.dovecot.stop()
    time.sleep(MAX_AGE)
    scene.must_refuse("lmtp:unix:private/dovecot-lmtp", "socket-missing", "4.4.1", "transport",
                      "socket does not exist")
    scene.must_accept("c@relayed.test")
    scene.must_reenter()
    assert scene.postfix.queue() != []
    scene.dovecot.start()
    time.sleep(MAX_AGE)
    scene.must_accept()
    scene.postfix.wait_empty()
    assert len(scene.dovecot.messages) == 1


@pytest.mark.seconds(8)
def test_virtualmin_an_address_that_left_the_host_takes_only_its_own_domains_mail(site):
    scene = Virtualmin(site, BRISK).start_all_up()
    there = "c@elsewhere.test"
    scene.must_deliver(scene.mx, there, "authenticated", sender="b@seventeen.test")

    site.world.remove_address("198.51.100.17")
    scene.milter.wait_state("smtp-17:", "down", "bind-address")
    scene.must_refuse_users("smtp-17:", "bind-address", "4.3.5",
                            "the bind address of the mail transport is not usable",
                            "b@seventeen.test", there)
    scene.must_deliver(scene.mx, there, "authenticated", sender="b@sixteen.test")
    scene.must_deliver(scene.mx, there, "authenticated", sender="b@from.test")
    scene.must_accept(sender="b@seventeen.test")

    site.world.add_address("198.51.100.17")
    time.sleep(MAX_AGE)
    scene.must_deliver(scene.mx, there, "authenticated", sender="b@seventeen.test")


@pytest.mark.seconds(8)
def test_docker_mailserver_a_relay_host_that_refuses_takes_only_its_own_senders_mail(site):
    scene = DockerMailserver(site, BRISK).start_all_up()
    there, hop = "c@elsewhere.test", "smtp:[relay.dms.test]:587"
    scene.relay.stop()
    scene.milter.wait_state(hop, "down", "connection-refused", DETECTION)
    scene.must_refuse_users(hop, "connection-refused", "4.4.1", "connection refused",
                            "b@relayed.test", there)
    scene.must_deliver(scene.amavis, there, "authenticated", sender="b@from.test")
    for sent in scene.must_reenter():
        wait_until(lambda sent=sent: scene.dovecot.find(sent.ident), 10, "delivery")

    scene.relay.start()
    scene.milter.wait_state(hop, "up")
    scene.must_deliver(scene.amavis, there, "authenticated", sender="b@relayed.test")


@pytest.mark.seconds(6)
def test_docker_mailserver_mail_of_sendmail_is_not_held_against_the_filter_that_it_bypasses(site):
    """pickup, a fifo there, has an empty content_filter: such mail is neither filtered nor tagged."""
    scene = DockerMailserver(site).start_all_up()
    scene.amavis.stop()
    time.sleep(MAX_AGE)
    scene.must_refuse("smtp-amavis:[127.0.0.1]:10024", "connection-refused", "4.4.1",
                      "content-filter", "connection refused")
    ident = new_ident()
    done = scene.postfix.sendmail("b@box.test", ["a@box.test"], message(ident))
    assert done.returncode == 0, done.stderr
    found = wait_until(lambda: scene.dovecot.find(ident), 10, "delivery without the filter")
    assert [name for name, _ in found.header() if name == "Failfast-Status"] == []


@pytest.mark.seconds(10)
def test_mailcow_a_container_that_is_gone_takes_its_name_along(site):
    scene = Mailcow(site, BRISK).start_all_up()
    hop = "lmtp:inet:dovecot:24"
    scene.must_deliver(scene.dovecot)
    assert scene.rspamd.asked, "the other milter had no say"

    scene.dovecot.stop()
    site.dns.set("dovecot", failure="nxdomain")
    scene.milter.wait_state(hop, "down", "dns-not-found", DETECTION)
    assert scene.send().refusal == brief("4.4.4", "transport", NO_HOST)
    scene.must_refuse_users(hop, "dns-not-found", "4.4.4", NO_HOST, "b@box.test", "a@box.test",
                            port=SUBMISSION)
    scene.must_deliver(scene.inside, "c@routed.test", "mynetworks")
    scene.must_reenter()
    scene.must_accept_at(590, "a@box.test")  # without milters: nobody asks us

    site.dns.set("dovecot", a=[DOVECOT])
    scene.dovecot.start()
    scene.milter.wait_state(hop, "up")
    scene.must_deliver(scene.dovecot)
    scene.postfix.wait_empty()


@pytest.mark.seconds(8)
def test_mailcow_what_sql_alone_names_is_learned_from_the_first_message(site):
    scene = Mailcow(site, BRISK).start_all_up()
    scene.port = SUBMISSION
    routed = "smtp_via_transport_maps:[inside.mailcow.test]:25"
    relayed = "smtp:[relay.mailcow.test]:587"
    scene.must_deliver(scene.inside, "c@routed.test", "authenticated")
    scene.must_deliver(scene.relay, "c@elsewhere.test", "authenticated", sender="b@relayed.test")
    for hop in (routed, relayed):
        scene.milter.wait_state(hop, "up")
    assert scene.known() == {**scene.hops, routed: "transport", relayed: "transport"}
    learned = [name for name, hop in scene.milter.hops().items() if hop["learned"]]
    assert sorted(learned) == sorted([routed, relayed])

    scene.relay.stop()
    scene.milter.wait_state(relayed, "down", "connection-refused", DETECTION)
    scene.must_refuse_users(relayed, "connection-refused", "4.4.1", "connection refused",
                            "b@relayed.test", "c@elsewhere.test")
    scene.must_deliver(scene.inside, "c@routed.test", "authenticated", sender="b@relayed.test")


@pytest.mark.seconds(5)
def test_mailinabox_without_spampd_mail_still_leaves(site):
    scene = MailInABox(site).start_all_up()
    hop = "lmtp:[127.0.0.1]:10025"
    scene.must_deliver(scene.spampd)
    scene.spampd.stop()
    time.sleep(MAX_AGE)
    scene.must_refuse(hop, "connection-refused", "4.4.1", "transport", "connection refused")
    scene.must_refuse_users(hop, "connection-refused", "4.4.1", "connection refused", "b@box.test",
                            "a@box.test", port=SUBMISSION)
    scene.port = SUBMISSION
    scene.must_deliver(scene.mx, "c@elsewhere.test", "authenticated", sender="b@box.test")

    scene.spampd.start()
    scene.port = 25
    scene.must_recover(LOCAL_RECOVERY)
