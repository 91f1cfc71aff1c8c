# Every key of a rule has to match.
hop remote smtp:[relay.example.net]:587 relayhost
rule "narrow" { client = "other" role = "relayhost" hop = "smtp:*" reason = "connection-*" sender = "*@a.example" recipient = "*@b.example" action = "hold" }
at 0s  probe connection-refused hard -> down
at 1s  mail other from x@a.example to y@b.example -> hold
at 1s  rule-for mynetworks from x@a.example to y@b.example -> none
at 1s  rule-for other from x@b.example to y@b.example -> none
at 1s  rule-for other from x@a.example to y@a.example -> none
at 2s  probe service-rejected hard -> down
at 2s  rule-for other from x@a.example to y@b.example -> none
