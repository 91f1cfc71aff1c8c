# A rule that has the word is obeyed.
hop remote smtp:[relay.example.net]:587 relayhost
rule "hand back later" { client = {"reentry"} action = "tempfail" }
at 0s  probe connection-refused hard -> down
at 1s  mail reentry -> tempfail "451 4.4.1 relayhost smtp:[relay.example.net]:587 is down since 00:00:00Z: connection refused"
at 1s  rule-for other -> none
