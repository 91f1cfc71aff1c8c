# "hop" is a pattern over TRANSPORT:NEXTHOP, upper and lower case are two things there.
hop remote relay:[smtp.example.net]:587 relayhost
rule "other relay" { hop = {"relay:[smtp.example.org]:*"} action = "accept" }
rule "upper" { hop = {"RELAY:*"} action = "accept" }
rule "relays" { hop = {"smtp-*:*", "relay:*"} action = "hold" }
at 0s  probe connection-timeout hard -> down
at 1s  rule-for other -> relays
at 1s  mail other -> hold
