# A rule knows maintenance by its reason, and a rule about time counts from the word of the operator.
hop remote smtp:[relay.example.net]:587 relayhost
interval 1h
rule "night" { reason = "maintenance" client = "other" action = "hold" }
rule "patient" { reason = "maintenance" after = 5m }
at 0s    probe ok -> up
at 60s   force down -> forced-down
at 61s   mail other -> hold
at 61s   mail mynetworks -> tag
at 359s  mail mynetworks -> tag
at 360s  mail mynetworks -> tempfail "451 4.3.2 relayhost smtp:[relay.example.net]:587 is down since 00:01:00Z: down for maintenance"
at 361s  force up -> forced-up
at 361s  rule-for other -> none
