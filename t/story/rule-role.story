# Mail waits for the relay in our queue, but is not taken when the filter is down.
hop local smtp-amavis:[127.0.0.1]:10024 content-filter
hop remote smtp:[relay.example.net]:587 relayhost
rule "relay" { role = {"relayhost"} action = "tag" }
at 0s  probe relayhost connection-refused hard -> down
at 1s  mail other -> tag
at 2s  probe content-filter connection-refused hard -> down
at 2s  mail other -> tempfail "451 4.4.1 content filter is temporarily unavailable: connection refused"
at 2s  rule-for other -> none
