# "hold": Postfix takes the mail and keeps it in its hold queue.  Refusing is graver than holding, holding than tagging.
hop local smtp-amavis:[127.0.0.1]:10024 content-filter
hop remote smtp:[relay.example.net]:587 relayhost
rule "filter" { role = "content-filter" action = "tag" }
rule "relay" { role = "relayhost" client = {"other", "local"} action = "hold" }
at 0s  probe content-filter connection-refused hard -> down
at 0s  probe relayhost connection-refused hard -> down
at 1s  mail other -> hold
at 1s  mail local -> hold
at 1s  rule-for other -> relay
at 1s  mail mynetworks -> tempfail "451 4.4.1 relayhost smtp:[relay.example.net]:587 is down since 00:00:00Z: connection refused"
