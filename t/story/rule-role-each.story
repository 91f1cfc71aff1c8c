# "role" has four words; mail meets them in this order.
hop local  smtpd_proxy_filter:127.0.0.1:10026 proxy-filter
hop local  smtp-amavis:[127.0.0.1]:10024 content-filter
hop remote smtp:[relay.example.net]:587 relayhost
hop local  lmtp:unix:private/dovecot-lmtp transport
rule "proxy"     { role = "proxy-filter" action = "hold" }
rule "filter"    { role = "content-filter" action = "hold" }
rule "relay"     { role = "relayhost" action = "hold" }
rule "mailboxes" { role = "transport" action = "hold" }
at 0s  probe proxy-filter ok -> up
at 0s  probe content-filter ok -> up
at 0s  probe relayhost ok -> up
at 0s  probe transport ok -> up
at 1s  rule-for other -> none
at 2s  probe transport socket-missing hard -> down
at 2s  rule-for other -> mailboxes
at 3s  probe relayhost connection-refused hard -> down
at 3s  rule-for other -> relay
at 4s  probe content-filter connection-refused hard -> down
at 4s  rule-for other -> filter
at 5s  probe proxy-filter connection-refused hard -> down
at 5s  rule-for other -> proxy
