# "action" has four words.
hop remote smtp:[relay.example.net]:587 relayhost
rule "1" { recipient = "a@*" action = "accept" }
rule "2" { recipient = "b@*" action = "tag" }
rule "3" { recipient = "c@*" action = "hold" }
rule "4" { recipient = "d@*" action = "tempfail" }
at 0s  probe connection-refused hard -> down
at 1s  mail other to a@x.example -> accept
at 1s  mail other to b@x.example -> tag
at 1s  mail other to c@x.example -> hold
at 1s  mail other to d@x.example -> tempfail "451 4.4.1 relayhost is temporarily unavailable: connection refused"
