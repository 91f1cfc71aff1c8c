"""products - the set-ups of stacks/, each with what is around it: filters, mailboxes, relay hosts

hops is what must be known before the first message, named and used as Postfix would.
"""
from .net import REMOTE_ADDRESS, REMOTE_ADDRESSES
from .stack import OtherMilter, Stack

INSIDE = REMOTE_ADDRESSES[1]
RELAY = REMOTE_ADDRESSES[2]
DOVECOT = REMOTE_ADDRESSES[3]


class Plesk(Stack):
    """Two domains with an address each to send from; mailboxes and lists are pipes."""

    product = "plesk"
    recipient = "a@box.test"
    hops = {
        "local:": "transport",
        "smtp:": "transport",
        "plesk_virtual:": "transport",
        "mailman:": "transport",
        "plesk-198.51.100.1-:": "transport",
        "plesk-198.51.100.11-:": "transport",
    }

    def furnish(self):
        self.site.world.add_address("198.51.100.11")
        self.site.at_end(OtherMilter(12768).close)
        self.site.dns.set("elsewhere.test", mx=[(10, "mx.elsewhere.test")])
        self.mx = self.far_server("mx.elsewhere.test", REMOTE_ADDRESS, 25)


class IRedMail(Stack):
    """amavisd on two ports; Dovecot's deliver and mlmmj are pipes."""

    product = "iredmail"
    recipient = "a@box.test"
    reentries = (10025, 10028)
    hops = {
        "smtp-amavis:[127.0.0.1]:10024": "content-filter",
        "smtp-amavis:[127.0.0.1]:10026": "content-filter",
        "dovecot:": "transport",
        "mlmmj:": "transport",
        f"smtp:[{INSIDE}]:25": "transport",
        "smtp:[relay.iredmail.test]:587": "transport",
        "local:": "transport",
        "relay:": "transport",
        "smtp:": "transport",
    }

    def furnish(self):
        self.incoming, self.originating = self.server(10024), self.server(10026)
        self.far_server("inside.iredmail.test", INSIDE, 25)
        self.far_server("relay.iredmail.test", RELAY, 587)


class Zimbra(Stack):
    """Users' mail passes two filters; the first hop of theirs is one of Postfix's own listeners."""

    product = "zimbra"
    recipient = "a@box.test"
    reentries = (10025,)
    hops = {
        "smtp-amavis:[127.0.0.1]:10024": "content-filter",
        "scan:[127.0.0.1]:10030": "content-filter",
        "smtp-amavis:[127.0.0.1]:10032": "content-filter",
        "lmtp:mailbox.zimbra.test:7025": "transport",
        "local:": "transport",
        "smtp:": "transport",
    }

    def furnish(self):
        self.incoming, self.second = self.server(10024), self.server(10032)
        self.site.at_end(OtherMilter(8465).close)
        self.site.dns.set("mailbox.zimbra.test", a=["127.0.0.1"])
        self.mailbox = self.server(7025, lmtp=True)


class Modoboa(Stack):
    """amavisd before the queue, behind postscreen and for submission; Dovecot's socket below private/."""

    product = "modoboa"
    recipient = "a@box.test"
    reentries = (10025,)
    hops = {
        "smtpd_proxy_filter:inet:[127.0.0.1]:10024": "proxy-filter",
        "smtpd_proxy_filter:inet:[127.0.0.1]:10026": "proxy-filter",
        "lmtp:unix:private/dovecot-lmtp": "transport",
        "autoreply:": "transport",
        "relay:[inside.modoboa.test]:25": "transport",
        "relay:": "transport",
        "smtp:": "transport",
    }

    def furnish(self):
        self.incoming, self.originating = self.server(10024), self.server(10026)
        self.dovecot = self.site.peer(
            f"unix:{self.postfix.queue_directory}/private/dovecot-lmtp", lmtp=True)
        self.inside = self.far_server("inside.modoboa.test", INSIDE, 25)


class Virtualmin(Stack):
    """Domains with an address each to send from; mail for users is local."""

    product = "virtualmin"
    recipient = "a@box.test"
    hops = {
        "local:": "transport",
        "smtp:": "transport",
        "smtp-16:": "transport",
        "smtp-17:": "transport",
    }

    def furnish(self):
        self.site.world.add_address("198.51.100.17")
        self.site.at_end(OtherMilter(8891).close)
        self.site.dns.set("elsewhere.test", mx=[(10, "mx.elsewhere.test")])
        self.mx = self.far_server("mx.elsewhere.test", REMOTE_ADDRESS, 25)


class DockerMailserver(Stack):
    """amavis, Dovecot's socket, and a relay host for some senders."""

    product = "docker-mailserver"
    recipient = "a@box.test"
    reentries = (10025,)

    def furnish(self):
        self.amavis = self.server(10024)
        self.dovecot = self.site.peer(f"unix:{self.site.dir}/lmtp", lmtp=True)
        self.postfix.main_cf = self.postfix.main_cf.replace("$data_directory", str(self.site.dir))
        self.relay = self.far_server("relay.dms.test", RELAY, 587)
        self.site.dns.set("elsewhere.test", mx=[(10, "mx.elsewhere.test")])
        self.mx = self.far_server("mx.elsewhere.test", REMOTE_ADDRESS, 25)

    @property
    def hops(self):
        """One of them has a path in its name."""
        return {
            "smtp-amavis:[127.0.0.1]:10024": "content-filter",
            f"lmtp:unix:{self.site.dir}/lmtp": "transport",
            "smtp:[relay.dms.test]:587": "transport",
            "local:": "transport",
            "smtp:": "transport",
        }


class Mailcow(Stack):
    """Dovecot and rspamd in containers of their own, transports in tables that cannot be listed."""

    product = "mailcow"
    recipient = "a@box.test"
    reentries = (10026,)
    hops = {
        "lmtp:inet:dovecot:24": "transport",
        "local:": "transport",
        "relay:": "transport",
        "smtp:": "transport",
    }

    def furnish(self):
        self.site.dns.set("rspamd", a=["127.0.0.1"])
        self.rspamd = OtherMilter(9900)
        self.site.at_end(self.rspamd.close)
        self.dovecot = self.far_server("dovecot", DOVECOT, 24, lmtp=True)
        self.inside = self.far_server("inside.mailcow.test", INSIDE, 25)
        self.relay = self.far_server("relay.mailcow.test", RELAY, 587)


class MailInABox(Stack):
    """spampd is the LMTP server; mail leaves from one address."""

    product = "mailinabox"
    recipient = "a@box.test"
    hops = {
        "lmtp:[127.0.0.1]:10025": "transport",
        "local:": "transport",
        "smtp:": "transport",
    }

    def furnish(self):
        for port in (8891, 8893):
            self.site.at_end(OtherMilter(port).close)
        self.spampd = self.server(10025, lmtp=True)
        self.site.dns.set("elsewhere.test", mx=[(10, "mx.elsewhere.test")])
        self.mx = self.far_server("mx.elsewhere.test", REMOTE_ADDRESS, 25)


STACKS = [Plesk, IRedMail, Zimbra, Modoboa, Virtualmin, DockerMailserver, Mailcow, MailInABox]
