# The time of day alone would mislead when it is of another day.
hop remote smtp:[relay.example.net]:587 relayhost
interval 2d
at 60s     probe connection-refused hard -> down
at 86459s  mail mynetworks -> tempfail "451 4.4.1 relayhost smtp:[relay.example.net]:587 is down since 00:01:00Z: connection refused"
at 86460s  mail mynetworks -> tempfail "451 4.4.1 relayhost smtp:[relay.example.net]:587 is down since 1970-01-01T00:01:00Z: connection refused"
