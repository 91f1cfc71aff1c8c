# While the name service is away mail is taken; a relay that refuses is another matter.
hop remote smtp:[relay.example.net]:587 relayhost
rule "names" { reason = {"dns-*"} action = "tag" }
at 0s  probe dns-failure hard -> down
at 1s  mail other -> tag
at 2s  probe connection-refused hard -> down
at 2s  mail other -> tempfail "451 4.4.1 relayhost is temporarily unavailable: connection refused"
at 3s  probe dns-not-found hard -> down
at 3s  mail other -> tag
