# Both: a window.  A change of the reason does not begin it anew.
hop remote smtp:[relay.example.net]:587 relayhost
interval 1h
rule "window" { after = 1m for_at_most = 10m action = "hold" }
at 0s   probe connection-refused hard -> down
at 59s  mail other -> tag
at 60s  mail other -> hold
at 61s  probe connection-timeout hard -> down
at 62s  mail other -> hold
at 599s mail other -> hold
at 600s mail other -> tag
