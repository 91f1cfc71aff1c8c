# No result for three intervals: we know nothing, so mail passes.
hop remote smtp:[relay.example.net]:587 relayhost
interval 10s
at 0s   probe connection-refused hard -> down
at 29s  look -> down
at 30s  mail mynetworks -> tempfail "451 4.4.1 relayhost smtp:[relay.example.net]:587 is down since 00:00:00Z: connection refused"
at 31s  look -> unknown
at 31s  mail other -> accept
